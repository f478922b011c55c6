//! The table that people read, once, as text: what varies, every metric with its interval, the best marked.

use crate::experiment::file::shown::EVALUATIONS;
use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Better};
use crate::report::rows::published;
use crate::report::rows::values::{at, compare, text, varies};
use crate::run::results::{Row, Score};
use anyhow::{Result, bail};
use std::collections::HashSet;

#[derive(Clone, Debug)]
pub struct Sheet {
    /// Axes that vary, by short name.
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
    pub cell: usize,
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
    /// `[2.93, 3.02]`, or `(published 1)` once a published line; none when the interval is a point or not known.
    pub interval: Option<String>,
    pub best: bool,
}

/// The table of a report, sorted as it asks.
///
/// # Errors
/// Where the report's sort key is neither an axis nor a metric.
pub fn sheet(report: &Report) -> Result<Sheet> {
    let rows = sorted(report)?;
    let all = report.axes.all.iter();
    let (columns, fixed): (Vec<_>, Vec<_>) = all.partition(|axis| varies(report.rows, &axis.key));
    let mut columns: Vec<(&str, &str)> = columns.iter().map(|a| (&*a.key, &*a.name)).collect();
    // No axis, as it follows from the others.
    if varies(report.rows, EVALUATIONS) {
        columns.push((EVALUATIONS, EVALUATIONS));
    }
    let metrics = metrics(report);
    let groups = groups(&rows);
    let entries: Vec<_> = metrics.iter().map(|m| entries(&rows, &groups, m)).collect();
    let value = |row: &Row, key: &str| at(row, key).map(text).unwrap_or_default();
    let places = |row: &Row| columns.iter().map(|(key, _)| value(row, key)).collect();
    let lines = rows.iter().enumerate().map(|(i, row)| Line {
        cell: row.cell,
        group: Group::Measured(groups[i]),
        at: places(row),
        entries: entries.iter().map(|column| column[i].clone()).collect(),
        missing: row.missing.clone(),
    });
    let sources = published::sources(report.sweep);
    let published = report.published.iter().map(|row| Line {
        cell: row.cell,
        group: Group::Published,
        at: places(row),
        entries: printed(row, &metrics, &sources),
        missing: None,
    });
    let fixed: Vec<(String, String)> = match rows.first() {
        Some(row) => fixed
            .iter()
            .map(|axis| (axis.name.clone(), value(row, &axis.key)))
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

/// A number for each row: rows scored against the same reference by the same rules have the same.
fn groups(rows: &[&Row]) -> Vec<usize> {
    let mut seen: Vec<[Option<&toml::Value>; 2]> = Vec::new();
    let mut groups = Vec::new();
    for row in rows {
        let reference = ["eval.reference", "eval.preset"].map(|key| at(row, key));
        let known = seen.iter().position(|s| *s == reference);
        groups.push(known.unwrap_or(seen.len()));
        if known.is_none() {
            seen.push(reference);
        }
    }
    groups
}

fn entries(rows: &[&Row], groups: &[usize], metric: &Metric) -> Vec<Option<Entry>> {
    let scores: Vec<_> = rows.iter().map(|r| names::score(r, &metric.key)).collect();
    let decimals = names::decimals(&metric.key, scores.iter().flatten().map(|s| s.value));
    let best = best(&scores, groups, metric.better);
    let entry = |i: usize| {
        let score = scores[i]?;
        let known = score.low.is_finite() && score.high.is_finite() && score.low < score.high;
        Some(Entry {
            value: format!("{:.decimals$}", score.value),
            interval: known
                .then(|| format!("[{:.decimals$}, {:.decimals$}]", score.low, score.high)),
            best: best[groups[i]] == Some(score.value),
        })
    };
    (0..rows.len()).map(entry).collect()
}

/// The best value of each group; none where the metric has no good end. One alone is not the best of anything.
fn best(scores: &[Option<&Score>], groups: &[usize], better: Option<Better>) -> Vec<Option<f64>> {
    let mut of_group: Vec<Vec<f64>> = Vec::new();
    of_group.resize(groups.iter().max().map_or(0, |most| most + 1), Vec::new());
    for (score, group) in scores.iter().zip(groups) {
        of_group[*group].extend(score.map(|score| score.value));
    }
    let best = of_group.into_iter().map(|values| {
        let values = Some(values).filter(|values| values.len() > 1)?.into_iter();
        match better? {
            Better::Lower => values.reduce(f64::min),
            Better::Higher => values.reduce(f64::max),
        }
    });
    best.collect()
}

/// The rows by the report's sort key: an axis upward, a metric from its good end, what is missing last.
fn sorted<'a>(report: &Report<'a>) -> Result<Vec<&'a Row>> {
    let mut rows: Vec<&Row> = report.rows.iter().collect();
    let Some(key) = report.sort else {
        return Ok(rows);
    };
    if let Some(axis) = report.axes.find(key) {
        rows.sort_by(|a, b| compare(at(a, &axis.key), at(b, &axis.key)));
        return Ok(rows);
    }
    let metrics: Vec<String> = metrics(report).into_iter().map(|m| m.key).collect();
    if !metrics.iter().any(|m| m == key) {
        let axes = report.axes.all.iter().map(|axis| axis.name.clone());
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
    let rank = |row: &Row| names::score(row, key).map_or(f64::INFINITY, |s| sign * s.value);
    rows.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    Ok(rows)
}
