//! One experiment file → its cells: every combination of its axes, in mixed radix, the last axis fastest.

use crate::experiment::check::typo::told;
use crate::experiment::file::claim::{self, Claim};
use crate::experiment::file::experiment::{
    Adopted, Chart, Eval, Experiment, Published, Sample, Train,
};
use crate::experiment::file::published;
use crate::experiment::grid::axes::{Axis, axes};
use crate::experiment::grid::cell::cell;
use crate::experiment::grid::choice::{keep, override_value};
use crate::experiment::grid::fill::{Written, check_used, may_be_supplied};
use crate::experiment::grid::shown::{check_charts, check_deltas};
use crate::experiment::scoring::metric::Metric;
use anyhow::{Context, Result, anyhow, ensure};

pub use crate::experiment::grid::cell::Cell;

/// A whole experiment file: its cells and what is common to them.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub name: String,
    pub charts: Vec<Chart>,
    pub published: Vec<Published>,
    pub claims: Vec<Claim>,
    /// The file under `--set` as text, every default written out.
    pub resolved: String,
    pub axes: Vec<Axis>,
    /// Cells of the whole grid.
    pub count: usize,
    /// Those that `--only` keeps.
    pub cells: Vec<Cell>,
}

/// More cells than anybody means; a list typed with one zero too many should say so.
const MOST_CELLS: usize = 100_000;

/// The cells of an experiment file's text under `--set KEY=VALUE` and `--only KEY=VALUE[,VALUE]`.
pub fn cells(text: &str, set: &[String], only: &[String]) -> Result<Vec<Cell>> {
    Ok(sweep(text, set, only)?.cells)
}

pub fn sweep(text: &str, set: &[String], only: &[String]) -> Result<Sweep> {
    if let Some(error) = mistake(text) {
        let open = may_be_supplied(error.message());
        ensure!(open, "{}", told(&error));
    }
    let mut table: toml::Table = toml::from_str(text)?;
    for one in set {
        override_value(&mut table, one).with_context(|| format!("--set {one}"))?;
    }
    let axes = axes(&table)?;
    check_used(&table, &axes)?;
    let count = axes.iter().try_fold(1usize, |n, axis| {
        n.checked_mul(axis.len()).filter(|&n| n <= MOST_CELLS)
    });
    let count = count.ok_or_else(|| anyhow!("the grid has more than {MOST_CELLS} cells"))?;
    let mut base = None;
    let mut cells = Vec::with_capacity(count);
    for index in 0..count {
        let (mut cell, written) = cell(&table, &axes, index)?;
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
        cells.push(cell);
    }
    let (base, written) = base.unwrap_or_default();
    let metrics = metrics(&cells);
    check_charts(&base.chart, &axes, &metrics)?;
    check_deltas(&base.report, &axes)?;
    published::check(&base.published, &axes, &metrics)?;
    claim::check(&base.claim, &axes, &metrics)?;
    let resolved = resolved(&base, written, &table)?;
    for one in only {
        keep(&mut cells, &axes, one).with_context(|| format!("--only {one}"))?;
    }
    ensure!(!cells.is_empty(), "--only leaves no cell of {count}");
    Ok(Sweep {
        name: base.name,
        charts: base.chart,
        published: base.published,
        claims: base.claim,
        resolved,
        axes,
        count,
        cells,
    })
}

/// The first cell with the grid put back, and its texts as the file has them: filled, they would be the first cell's.
fn resolved(base: &Experiment, written: Vec<Written>, table: &toml::Table) -> Result<String> {
    let mut whole = base.clone();
    let grid = table.get("grid").and_then(toml::Value::as_table);
    whole.grid = grid.cloned().unwrap_or_default();
    let zips = table.get("zip").and_then(toml::Value::as_array);
    let zips = zips.into_iter().flatten();
    whole.zip = zips.filter_map(|zip| zip.as_table().cloned()).collect();
    let mut whole = toml::Table::try_from(&whole)?;
    for (path, value) in written {
        put_back(&mut whole, &path, value);
    }
    Ok(toml::to_string(&whole)?)
}

/// What keeps the text from being an experiment. It is read straight into the forms of `[sample]`, `[train]` and `[eval]`
/// that it has, for the line and column of a mistake in them.
fn mistake(text: &str) -> Option<toml::de::Error> {
    let table: toml::Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => return Some(error),
    };
    let has = |name: &str, key: &str| {
        let inner = table.get(name).and_then(toml::Value::as_table);
        inner.is_some_and(|inner| inner.contains_key(key))
    };
    let programs = ["sample", "train", "eval"].iter().any(|name| has(name, "command"));
    if programs {
        toml::from_str::<Experiment>(text).err()
    } else if has("sample", "from") {
        toml::from_str::<Experiment<Adopted, Train, Eval>>(text).err()
    } else {
        toml::from_str::<Experiment<Sample, Train, Eval>>(text).err()
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
