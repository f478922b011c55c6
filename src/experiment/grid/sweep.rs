//! One experiment file → its cells: every combination of its axes, in mixed radix, the last axis fastest.

use crate::experiment::check::slurm::check as check_slurm;
use crate::experiment::external::star;
use crate::experiment::file::claim::{self, Claim};
use crate::experiment::file::experiment::{Chart, Experiment, Published};
use crate::experiment::file::published;
use crate::experiment::file::shown::{Columns, check_charts, check_column, check_deltas};
use crate::experiment::file::slurm::Slurm;
use crate::experiment::grid::axes::{axes, axis_keys};
use crate::experiment::grid::axis::{Axis, MOST_CELLS, NO_VALUES, Place, labels};
use crate::experiment::grid::case::CASE;
use crate::experiment::grid::cell::{cell, values_seen};
use crate::experiment::grid::choice::{keep, override_value};
use crate::experiment::grid::fill::{Written, check_used};
use crate::experiment::grid::overlay::leaf;
use crate::experiment::grid::paths::locate;
use crate::experiment::grid::source::Source;
use crate::experiment::scoring::metric::Metric;
use anyhow::{Context, Result, anyhow, ensure};
use std::sync::Arc;

pub use crate::experiment::grid::cell::Cell;

/// A whole experiment file: its cells and what is common to them.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub name: String,
    pub charts: Vec<Chart>,
    pub published: Vec<Published>,
    pub claims: Vec<Claim>,
    /// What a cluster is asked for.
    pub slurm: Slurm,
    /// The file under `--set` as text, every default written out.
    pub resolved: String,
    pub axes: Vec<Axis>,
    /// Cells of the whole grid.
    pub count: usize,
    /// Those that `--only` keeps.
    pub cells: Arc<Vec<Cell>>,
}

/// The cells of an experiment file's text under `--set KEY=VALUE` and `--only KEY=VALUE[,VALUE]`.
pub fn cells(text: &str, set: &[String], only: &[String]) -> Result<Vec<Cell>> {
    Ok(Arc::unwrap_or_clone(sweep(text, set, only)?.cells))
}

pub fn sweep(text: &str, set: &[String], only: &[String]) -> Result<Sweep> {
    sweep_of(Source::of_text(text)?, set, only)
}

/// The sweep of a file that was read, under `--set` and `--only`.
pub fn sweep_of(source: Source, set: &[String], only: &[String]) -> Result<Sweep> {
    let Source {
        mut table,
        folders,
        shipped,
    } = source;
    star::expand(&mut table, &folders)?;
    for one in set {
        override_value(&mut table, one).with_context(|| format!("--set {one}"))?;
    }
    let axes = axes(&table)?;
    check_used(&table, &axes)?;
    let count = axes.iter().try_fold(1usize, |n, axis| {
        n.checked_mul(axis.len()).filter(|&n| n <= MOST_CELLS)
    });
    let count = count.ok_or_else(|| anyhow!("the grid has more than {MOST_CELLS} cells"))?;
    let labels = labels(&axes);
    let mut base = None;
    let mut slurm = Slurm::default();
    let mut cells = Vec::with_capacity(count);
    for index in 0..count {
        let (mut cell, written) = cell(&table, &axes, &labels, index)?;
        // Where it runs is no part of what it is.
        let asked = std::mem::take(&mut cell.spec.slurm);
        if base.is_none() {
            check_slurm(&asked, "slurm.")?;
            slurm = asked;
        }
        base.get_or_insert_with(|| (cell.spec.clone(), written));
        cell.spec.chart.clear();
        cell.spec.published.clear();
        cell.spec.claim.clear();
        let prefix = cell.title();
        let checked = cell.spec.check();
        if axes.is_empty() {
            checked?
        } else {
            checked.with_context(|| prefix)?
        }
        locate(&mut cell.spec, &folders, shipped.as_deref());
        cell.folders.clone_from(&folders);
        cell.shipped.clone_from(&shipped);
        cells.push(cell);
    }
    let (base, written) = base.unwrap_or_default();
    let metrics = metrics(&cells);
    let values = values_seen(&axes, &cells);
    let columns = Columns {
        values: &values,
        metrics: &metrics,
        measured_by_program: cells.iter().any(|cell| cell.spec.measuring().is_some()),
    };
    check_charts(&base.chart, &axes, &columns)?;
    check_column(&base.report, &base.chart)?;
    check_deltas(&base.report, &axes)?;
    published::check(&base.published, &values, &metrics)?;
    claim::check(&base.claim, &values, &metrics)?;
    let resolved = resolved(&base, written, &table)?;
    for one in only {
        keep(&mut cells, &labels, &values, one).with_context(|| format!("--only {one}"))?;
    }
    ensure!(!cells.is_empty(), "--only leaves no cell of {count}");
    Ok(Sweep {
        name: base.name,
        charts: base.chart,
        published: base.published,
        claims: base.claim,
        slurm,
        resolved,
        axes,
        count,
        cells: Arc::new(cells),
    })
}

/// The first cell with the axes put back in their order, its texts as the file has them, and what cases lean on: the first
/// cell's own values would be read as those of all.
fn resolved(base: &Experiment, mut written: Vec<Written>, table: &toml::Table) -> Result<String> {
    for (key, place) in axis_keys(table) {
        let path: Vec<String> = key.split('.').map(String::from).collect();
        if let Some(value) = leaf(table, &key).filter(|_| place == Place::Case) {
            written.push((path, value.clone()));
        }
    }
    let whole = toml::Table::try_from(base)?;
    let is_value = |(name, _): &(String, toml::Value)| !NO_VALUES.contains(&name.as_str());
    let (values, shown): (Vec<_>, Vec<_>) = whole.into_iter().partition(is_value);
    let axes = table.clone().into_iter();
    let axes = axes.filter(|(name, _)| matches!(name.as_str(), "grid" | "zip" | CASE));
    let mut whole: toml::Table = values.into_iter().chain(axes).chain(shown).collect();
    for (key, place) in axis_keys(table) {
        if place == Place::Case && leaf(table, &key).is_none() {
            take_out(&mut whole, table, &key);
        }
    }
    for (path, value) in written {
        put_back(&mut whole, &path, value);
    }
    Ok(toml::to_string(&whole)?)
}

/// Takes out of `whole` what only a case of `table` brought there: the value of `key`, with the tables around it that the file
/// itself does not have.
fn take_out(whole: &mut toml::Table, table: &toml::Table, key: &str) {
    let (head, rest) = match key.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (key, None),
    };
    match (whole.get_mut(head), table.get(head), rest) {
        (Some(toml::Value::Table(whole)), Some(toml::Value::Table(table)), Some(rest)) => {
            take_out(whole, table, rest);
        }
        _ => {
            whole.remove(head);
        }
    }
}

/// Lays `value` over what stands at `path`. A table that is not there held nothing but defaults, and no text.
fn put_back(table: &mut toml::Table, path: &[String], value: toml::Value) {
    let [head, rest @ ..] = path else { return };
    match (rest, table.get_mut(head)) {
        ([], _) => {
            table.insert(head.clone(), value);
        }
        (_, Some(toml::Value::Table(inner))) => put_back(inner, rest, value),
        _ => {}
    }
}

/// The metrics that any cell asks for.
fn metrics(cells: &[Cell]) -> Vec<Metric> {
    let evals = cells.iter().filter_map(|cell| cell.spec.scores());
    let mut metrics: Vec<Metric> = evals.flat_map(|eval| eval.metrics.clone()).collect();
    metrics.sort();
    metrics.dedup();
    metrics
}
