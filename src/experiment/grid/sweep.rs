//! One experiment file → its cells: every combination of its axes, in mixed radix, the last axis fastest.

use crate::experiment::check::typo::told;
use crate::experiment::file::claim::{self, Claim};
use crate::experiment::file::experiment::{Chart, Deltas, Experiment, Published, ReportOptions};
use crate::experiment::file::published;
use crate::experiment::grid::axes::{Axis, axes, short_names};
use crate::experiment::grid::overlay::{assign, instead_of_text, pair, same, show, value};
use crate::experiment::scoring::metric::Metric;
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;

/// One grid point: the experiment with its grid resolved, and where it stands.
#[derive(Clone, Debug)]
pub struct Cell {
    /// n in the whole grid, whatever `--only` keeps.
    pub index: usize,
    /// Every axis and every list of a zip, by full dotted key, in file order.
    pub at: Vec<(String, toml::Value)>,
    /// Full keys of `at` that label the cell: each grid key, and of each zip the first and what else tells it apart.
    pub axes: Vec<String>,
    /// Without `grid`, `zip`, `chart`, `published` and `claim`.
    pub spec: Experiment,
}

impl Cell {
    /// `steps=25 scale=0.5`; empty where the file has no grid.
    pub fn label(&self) -> String {
        let names = short_names(&self.axes);
        let values = self.axes.iter().filter_map(|axis| self.get(axis));
        let parts = names.iter().zip(values);
        let parts: Vec<String> = parts.map(|(n, v)| format!("{n}={}", show(v))).collect();
        parts.join(" ")
    }

    /// The cell's value on an axis, by its full key.
    pub fn get(&self, key: &str) -> Option<&toml::Value> {
        self.at.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// `cell 4 (steps=50 scale=0)`, or the experiment's name where there is no grid.
    pub fn title(&self) -> String {
        if self.at.is_empty() {
            self.spec.name.clone()
        } else {
            format!("cell {} ({})", self.index, self.label())
        }
    }
}

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
    // The text goes straight into the typed struct first, for the line and column of a mistake in it.
    if let Err(error) = toml::from_str::<Experiment>(text) {
        let open = may_be_supplied(error.message());
        ensure!(open, "{}", told(&error));
    }
    let mut table: toml::Table = toml::from_str(text)?;
    for one in set {
        override_value(&mut table, one).with_context(|| format!("--set {one}"))?;
    }
    let axes = axes(&table)?;
    let count = axes.iter().try_fold(1usize, |n, axis| {
        n.checked_mul(axis.len()).filter(|&n| n <= MOST_CELLS)
    });
    let count = count.ok_or_else(|| anyhow!("the grid has more than {MOST_CELLS} cells"))?;
    let mut base = None;
    let mut cells = Vec::with_capacity(count);
    for index in 0..count {
        let mut cell = cell(&table, &axes, index)?;
        base.get_or_insert_with(|| cell.spec.clone());
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
    let base = base.unwrap_or_default();
    let metrics = metrics(&cells);
    check_charts(&base.chart, &axes, &metrics)?;
    check_deltas(&base.report, &axes)?;
    published::check(&base.published, &axes, &metrics)?;
    claim::check(&base.claim, &axes, &metrics)?;
    let resolved = resolved(&base, &table)?;
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

/// The first cell with the grid put back.
fn resolved(base: &Experiment, table: &toml::Table) -> Result<String> {
    let mut whole = base.clone();
    let grid = table.get("grid").and_then(toml::Value::as_table);
    whole.grid = grid.cloned().unwrap_or_default();
    let zips = table.get("zip").and_then(toml::Value::as_array);
    let zips = zips.into_iter().flatten();
    whole.zip = zips.filter_map(|zip| zip.as_table().cloned()).collect();
    Ok(toml::to_string(&whole)?)
}

/// A required value may come from an axis or from `--set`; every other mistake is the file's own.
fn may_be_supplied(message: &str) -> bool {
    message.starts_with("missing field")
}

fn override_value(table: &mut toml::Table, text: &str) -> Result<()> {
    let (key, text) = pair(text)?;
    let new = value(text)?;
    ensure!(
        key != "zip" && !key.starts_with("zip."),
        "[[zip]] cannot be set; edit it in the file"
    );
    for axis in axes(table)? {
        for (name, values) in &axis.lists {
            let one = values.last().map(show).unwrap_or_default();
            ensure!(
                name != key,
                "`{key}` is an axis of {} with {} values\nhint: to run one slice, use `--only {key}={one}`; to replace the axis, use {}",
                axis.place(),
                values.len(),
                if axis.zipped {
                    "an editor: lists of [[zip]] move together".to_string()
                } else {
                    format!("`--set grid.{key}=[{text}]`")
                },
            );
        }
    }
    assign(table, key, new)?;
    match Experiment::deserialize(table.clone()) {
        Err(error) if !may_be_supplied(error.message()) => match instead_of_text(error.message()) {
            Some(wanted) => bail!("`{key}` takes {wanted}, and `{text}` is a text"),
            None => bail!("{}", told(&error)),
        },
        _ => Ok(()),
    }
}

fn cell(table: &toml::Table, axes: &[Axis], index: usize) -> Result<Cell> {
    let mut table = table.clone();
    table.remove("grid");
    table.remove("zip");
    let mut digits = vec![0; axes.len()];
    let mut rest = index;
    for (digit, axis) in digits.iter_mut().zip(axes).rev() {
        *digit = rest % axis.len();
        rest /= axis.len();
    }
    let mut at = Vec::new();
    for (axis, digit) in axes.iter().zip(digits) {
        for (key, values) in &axis.lists {
            assign(&mut table, key, values[digit].clone())?;
            at.push((key.clone(), values[digit].clone()));
        }
    }
    let mut cell = Cell {
        index,
        at,
        axes: labels(axes),
        spec: Experiment::default(),
    };
    match Experiment::deserialize(table) {
        Ok(spec) => cell.spec = spec,
        Err(error) if axes.is_empty() => bail!("{}", told(&error)),
        Err(error) => bail!("{}: {}", cell.title(), told(&error)),
    }
    Ok(cell)
}

fn labels(axes: &[Axis]) -> Vec<String> {
    let labels = axes.iter().flat_map(Axis::labels);
    labels.map(String::from).collect()
}

/// Drops the cells that one `--only KEY=VALUE[,VALUE]` does not name.
fn keep(cells: &mut Vec<Cell>, axes: &[Axis], text: &str) -> Result<()> {
    let (key, text) = pair(text)?;
    let keys = labels(axes);
    let by_short_name = short_names(&keys).iter().position(|name| name == key);
    let key = by_short_name.map_or(key, |at| &keys[at]);
    let lists = axes.iter().flat_map(|axis| &axis.lists);
    let Some((_, values)) = lists.clone().find(|(name, _)| name == key) else {
        let names: Vec<String> = lists.map(|(name, _)| format!("`{name}`")).collect();
        if names.is_empty() {
            bail!("the file has no [grid]")
        } else {
            bail!("`{key}` is no axis; the axes are {}", names.join(", "))
        }
    };
    let mut wanted = Vec::new();
    for one in several(text, values)? {
        if !values.iter().any(|v| same(v, &one)) {
            let all: Vec<String> = values.iter().map(show).collect();
            bail!(
                "`{}` is not on the axis, which has {}",
                show(&one),
                all.join(", ")
            );
        }
        wanted.push(one);
    }
    cells.retain(|cell| {
        let here = cell.get(key);
        here.is_some_and(|here| wanted.iter().any(|one| same(here, one)))
    });
    Ok(())
}

/// The values that `--only` names: `1,5`, `[1, 5]`, or a list that is itself a value of the axis.
fn several(text: &str, axis: &[toml::Value]) -> Result<Vec<toml::Value>> {
    match value(text) {
        Ok(whole) if axis.iter().any(|v| same(v, &whole)) => Ok(vec![whole]),
        Ok(toml::Value::Array(list)) => Ok(list),
        _ => text.split(',').map(|one| value(one.trim())).collect(),
    }
}

/// The metrics that any cell asks for.
fn metrics(cells: &[Cell]) -> Vec<Metric> {
    let evals = cells.iter().filter_map(|cell| cell.spec.eval.as_ref());
    let mut metrics: Vec<Metric> = evals.flat_map(|eval| eval.metrics.clone()).collect();
    metrics.sort();
    metrics.dedup();
    metrics
}

/// Rows are compared along an axis that there is.
fn check_deltas(report: &ReportOptions, axes: &[Axis]) -> Result<()> {
    let Deltas::Along(key) = &report.deltas else {
        return Ok(());
    };
    let names = axes.iter().flat_map(|axis| axis.lists.iter());
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    ensure!(
        names.contains(&key.as_str()),
        "report.deltas = \"{key}\" is not an axis ({})",
        if names.is_empty() {
            "there is none".to_string()
        } else {
            names.join(", ")
        }
    );
    Ok(())
}

/// What a chart names must be an axis or a metric of the file.
fn check_charts(charts: &[Chart], axes: &[Axis], metrics: &[Metric]) -> Result<()> {
    let names: Vec<&str> = axes
        .iter()
        .flat_map(|axis| axis.lists.iter().map(|(name, _)| name.as_str()))
        .collect();
    let metrics: Vec<&str> = metrics.iter().map(|metric| metric.id()).collect();
    let list = |names: &[&str]| {
        if names.is_empty() {
            "none here".to_string()
        } else {
            names.join(", ")
        }
    };
    for (n, chart) in charts.iter().enumerate() {
        let place = format!("[[chart]] {}", n + 1);
        ensure!(
            names.contains(&chart.x.as_str()) || metrics.contains(&chart.x.as_str()),
            "{place}: x = \"{}\" is neither an axis ({}) nor a metric ({})",
            chart.x,
            list(&names),
            list(&metrics),
        );
        ensure!(!chart.y.is_empty(), "{place}: y names no metric");
        for y in chart.y.iter().filter(|y| *y != "all") {
            ensure!(
                metrics.contains(&y.as_str()),
                "{place}: y = \"{y}\" is not a metric of [eval] ({})",
                list(&metrics),
            );
        }
        for by in &chart.by {
            ensure!(
                names.contains(&by.as_str()),
                "{place}: by = \"{by}\" is not an axis ({})",
                list(&names),
            );
        }
    }
    Ok(())
}
