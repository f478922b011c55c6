//! The table that people read, once, as text: a line a variant, every metric with its interval or, where seeds repeat the
//! variant, as mean and standard deviation; the best and all that cannot be told from it are marked.

use crate::experiment::file::shown::EVALUATIONS;
use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Better};
use crate::report::rows::published;
use crate::report::rows::seeds::{self, Variant};
use crate::report::rows::values::{at, compare, text, varies};
use crate::report::table::best::{Column, MOST_COMPARED};
use crate::run::results::Row;
use anyhow::{Result, bail};
use std::collections::HashSet;

#[derive(Clone, Debug)]
pub struct Sheet {
    /// Axes that vary, by short name; no seeds, which repeat a line.
    pub axes: Vec<String>,
    /// The full keys of `axes`.
    pub keys: Vec<String>,
    pub metrics: Vec<Metric>,
    pub lines: Vec<Line>,
    /// Below the lines: what others have printed.
    pub published: Vec<Line>,
    /// Axes that do not vary: short name and value.
    pub fixed: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct Metric {
    /// As in the experiment file: `fd`.
    pub key: String,
    /// `FD (shapes)`.
    pub label: String,
    pub better: Option<Better>,
}

#[derive(Clone, Debug)]
pub struct Line {
    /// The first of `cells`.
    pub cell: usize,
    /// The numbers of the cells that the line is the mean of: one a seed.
    pub cells: Vec<usize>,
    pub group: Group,
    pub at: Vec<String>,
    pub entries: Vec<Option<Entry>>,
    pub missing: Option<String>,
}

/// Whom a line is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Cells scored against one reference by the same rules share a number from 0; the best is found among them.
    Measured(usize),
    /// What somebody else has printed; compared with nothing.
    Published,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub value: String,
    /// `[2.93, 3.02]`, of a mean over seeds `± 0.04`, or `(published 1)` once a published line; none when the interval is
    /// a point or not known.
    pub interval: Option<String>,
    /// The best of its group, or not told from it.
    pub best: bool,
}

/// The table of a report, sorted as it asks.
///
/// # Errors
/// Where the report's sort key is neither an axis nor a metric, or a stored file of influences cannot be read.
pub fn sheet(report: &Report) -> Result<Sheet> {
    let variants = sorted(report)?;
    let all = report.axes.all.iter();
    let all = all.filter(|axis| !seeds::repeats(report.rows, &axis.key));
    let (columns, fixed): (Vec<_>, Vec<_>) = all.partition(|axis| varies(report.rows, &axis.key));
    let mut columns: Vec<(&str, &str)> = columns.iter().map(|a| (&*a.key, &*a.name)).collect();
    // No axis, as it follows from the others.
    if varies(report.rows, EVALUATIONS) {
        columns.push((EVALUATIONS, EVALUATIONS));
    }
    let metrics = metrics(report);
    let groups = groups(&variants);
    let compared = report.rows.len() <= MOST_COMPARED;
    let entries = metrics.iter().map(|metric| {
        let column = Column {
            variants: &variants,
            groups: &groups,
            metric: &metric.key,
            better: metric.better,
            compared,
        };
        entries(&column)
    });
    let entries: Vec<_> = entries.collect::<Result<_>>()?;
    let value = |row: &Row, key: &str| at(row, key).map(text).unwrap_or_default();
    let places = |row: &Row| columns.iter().map(|(key, _)| value(row, key)).collect();
    let lines = variants.iter().enumerate().map(|(i, variant)| Line {
        cell: variant.row.cell,
        cells: variant.cells.iter().map(|row| row.cell).collect(),
        group: Group::Measured(groups[i]),
        at: places(&variant.row),
        entries: entries.iter().map(|column| column[i].clone()).collect(),
        missing: variant.cells.iter().find_map(|row| row.missing.clone()),
    });
    let sources = published::sources(report.sweep);
    let published = report.published.iter().map(|row| Line {
        cell: row.cell,
        cells: Vec::new(),
        group: Group::Published,
        at: places(row),
        entries: printed(row, &metrics, &sources),
        missing: None,
    });
    let fixed: Vec<(String, String)> = match variants.first() {
        Some(variant) => fixed
            .iter()
            .map(|axis| (axis.name.clone(), value(&variant.row, &axis.key)))
            .collect(),
        None => Vec::new(),
    };
    Ok(Sheet {
        published: published.collect(),
        lines: lines.collect(),
        axes: columns.iter().map(|(_, name)| name.to_string()).collect(),
        keys: columns.iter().map(|(key, _)| key.to_string()).collect(),
        fixed,
        metrics,
    })
}

impl Line {
    /// Whether somebody else has printed the line; then no cell of the grid stands behind it.
    pub fn published(&self) -> bool {
        self.group == Group::Published
    }
}

impl Sheet {
    /// Every line, the published ones last.
    pub fn all(&self) -> Vec<&Line> {
        self.lines.iter().chain(&self.published).collect()
    }

    /// Of all lines, whether a gap stands before each: between groups that stand together, and before what is published.
    pub fn parted(&self) -> Vec<bool> {
        let all = self.all();
        let together = together(&self.lines);
        let parted = |i: usize| {
            let above = i.checked_sub(1).map(|above| all[above]);
            let changes = above.is_some_and(|above| above.group != all[i].group);
            changes && (all[i].published() || together)
        };
        (0..all.len()).map(parted).collect()
    }
}

/// True where the lines of each group stand together, so that a gap may part them, and some group has several.
fn together(lines: &[Line]) -> bool {
    let changes = lines.windows(2).filter(|w| w[0].group != w[1].group);
    let kinds: HashSet<Group> = lines.iter().map(|line| line.group).collect();
    changes.count() + 1 == kinds.len() && kinds.len() < lines.len()
}

/// A published row's entries; the first carries the number of its source.
fn printed(row: &Row, metrics: &[Metric], sources: &[&str]) -> Vec<Option<Entry>> {
    let source = published::source(row);
    let number = sources.iter().position(|s| Some(*s) == source);
    let mut mark = number.map(|n| format!("(published {})", n + 1));
    metrics
        .iter()
        .map(|metric| {
            let score = names::score(row, &metric.key)?;
            Some(Entry {
                value: published::number(score.value),
                interval: mark.take(),
                best: false,
            })
        })
        .collect()
}

/// What the experiment asked for, then what else the rows carry but the baselines.
pub fn metrics(report: &Report) -> Vec<Metric> {
    let world = report.world();
    let found = names::metrics(report.rows);
    let cells = report.sweep.cells.iter();
    let evals = cells.filter_map(|c| c.spec.scores());
    let asked = evals.flat_map(|e| &e.metrics);
    let mut keys: Vec<String> = Vec::new();
    for key in asked.map(|m| m.id().to_string()).chain(found) {
        if !keys.contains(&key) && !names::is_baseline(&key) {
            keys.push(key);
        }
    }
    let metric = |key: String| Metric {
        label: names::label(&key, world),
        better: names::better(&key),
        key,
    };
    keys.into_iter().map(metric).collect()
}

/// A number for each variant: those scored against the same reference by the same rules have the same.
fn groups(variants: &[Variant]) -> Vec<usize> {
    let mut seen: Vec<[Option<&toml::Value>; 2]> = Vec::new();
    let mut groups = Vec::new();
    for variant in variants {
        let reference = ["eval.reference", "eval.preset"].map(|key| at(&variant.row, key));
        let known = seen.iter().position(|s| *s == reference);
        groups.push(known.unwrap_or(seen.len()));
        if known.is_none() {
            seen.push(reference);
        }
    }
    groups
}

fn entries(column: &Column) -> Result<Vec<Option<Entry>>> {
    let metric = column.metric;
    let variants = column.variants.iter();
    let scores: Vec<_> = variants.map(|v| names::score(&v.row, metric)).collect();
    let decimals = names::decimals(metric, scores.iter().flatten().map(|s| s.value));
    let marked = column.marked()?;
    let entry = |(i, variant): (usize, &Variant)| {
        let score = scores[i]?;
        let known = score.low.is_finite() && score.high.is_finite() && score.low < score.high;
        let interval = || format!("[{:.decimals$}, {:.decimals$}]", score.low, score.high);
        let deviation = variant.deviation(metric);
        Some(Entry {
            value: format!("{:.decimals$}", score.value),
            interval: deviation
                .map(|deviation| format!("± {deviation:.decimals$}"))
                .or_else(|| known.then(interval)),
            best: marked[i],
        })
    };
    Ok(column.variants.iter().enumerate().map(entry).collect())
}

/// The variants by the report's sort key: an axis upward, a metric from its good end, what is missing last.
fn sorted<'a>(report: &Report<'a>) -> Result<Vec<Variant<'a>>> {
    let mut variants = seeds::variants(report.rows);
    let Some(key) = report.sort else {
        return Ok(variants);
    };
    let repeats = |key: &str| seeds::repeats(report.rows, key);
    if let Some(axis) = report.axes.find(key).filter(|axis| !repeats(&axis.key)) {
        variants.sort_by(|a, b| compare(at(&a.row, &axis.key), at(&b.row, &axis.key)));
        return Ok(variants);
    }
    let metrics: Vec<String> = metrics(report).into_iter().map(|m| m.key).collect();
    if !metrics.iter().any(|m| m == key) {
        let axes = report.axes.all.iter().filter(|axis| !repeats(&axis.key));
        let axes = axes.map(|axis| axis.name.clone());
        let known: Vec<String> = axes.chain(metrics).collect();
        bail!(
            "--sort {key}: no such column; allowed: {}",
            known.join(", ")
        );
    }
    let sign = match names::better(key) {
        Some(Better::Higher) => -1.0,
        _ => 1.0,
    };
    let rank = |v: &Variant| names::score(&v.row, key).map_or(f64::INFINITY, |s| sign * s.value);
    variants.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    Ok(variants)
}
