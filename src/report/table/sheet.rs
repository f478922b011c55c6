//! The table that people read, once, as text: what varies, every metric with its interval, the best marked.

use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Better};
use crate::report::rows::published;
use crate::run::results::Row;
use anyhow::{Result, bail};
use std::cmp::Ordering;

#[derive(Clone, Debug)]
pub struct Sheet {
    /// Axes that vary, by short name.
    pub axes: Vec<String>,
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
    /// Cells scored against one reference share it; the best is found within.
    pub group: usize,
    pub at: Vec<String>,
    pub entries: Vec<Option<Entry>>,
    pub missing: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub value: String,
    /// `[2.93, 3.02]`, or `(published 1)` once a published line; none when the interval is a point or not known.
    pub interval: Option<String>,
    pub best: bool,
}

/// The table of a report, sorted as it asks.
pub fn sheet(report: &Report) -> Result<Sheet> {
    let rows = sorted(report)?;
    let shown = axes(report.rows);
    let short = names::short(&shown, &[]);
    let varies = |key: &String| {
        let mut values = rows.iter().map(|r| names::at(r, key));
        let first = values.next();
        values.any(|v| Some(v) != first)
    };
    let (columns, fixed): (Vec<_>, Vec<_>) =
        shown.iter().zip(&short).partition(|(key, _)| varies(key));
    let metrics = metrics(report);
    let groups = groups(&rows);
    let columns_of: Vec<Vec<Option<Entry>>> =
        metrics.iter().map(|m| entries(&rows, &groups, m)).collect();
    let text = |row: &Row, key: &str| names::at(row, key).map(names::value).unwrap_or_default();
    let lines = rows.iter().enumerate().map(|(i, row)| Line {
        cell: row.cell,
        group: groups[i],
        at: columns.iter().map(|(key, _)| text(row, key)).collect(),
        entries: columns_of.iter().map(|c| c[i].clone()).collect(),
        missing: row.missing.clone(),
    });
    let published = published::rows(report);
    let sources = published::sources(report);
    let published = published.iter().map(|row| Line {
        cell: row.cell,
        group: usize::MAX,
        at: columns.iter().map(|(key, _)| text(row, key)).collect(),
        entries: printed(row, &metrics, &sources),
        missing: None,
    });
    Ok(Sheet {
        published: published.collect(),
        lines: lines.collect(),
        axes: columns.iter().map(|(_, name)| name.to_string()).collect(),
        fixed: match rows.first() {
            Some(row) => fixed
                .iter()
                .map(|(key, name)| (name.to_string(), text(row, key)))
                .collect(),
            None => Vec::new(),
        },
        metrics,
    })
}

impl Line {
    /// What somebody else has printed, of no cell.
    pub fn published(&self) -> bool {
        self.group == usize::MAX
    }
}

impl Sheet {
    /// Every line, the published ones last.
    pub fn all(&self) -> Vec<&Line> {
        self.lines.iter().chain(&self.published).collect()
    }

    /// Whether a gap stands before line `i` of all: between groups that stand together, and before what is published.
    pub fn parts_before(&self, i: usize) -> bool {
        let all = self.all();
        match i {
            0 => false,
            i if i >= self.lines.len() => i == self.lines.len(),
            i => parted(&self.lines) && all[i].group != all[i - 1].group,
        }
    }
}

/// True where the lines of each group stand together, so that a gap may part them.
fn parted(lines: &[Line]) -> bool {
    let groups: Vec<usize> = lines.iter().map(|l| l.group).collect();
    let changes = groups.windows(2).filter(|w| w[0] != w[1]).count();
    let kinds = groups.iter().max().map_or(0, |g| g + 1);
    changes + 1 == kinds && kinds < groups.len()
}

/// A published row's entries; the first carries the number of its source.
fn printed(row: &Row, metrics: &[Metric], sources: &[String]) -> Vec<Option<Entry>> {
    let source = published::source(row);
    let number = sources.iter().position(|s| Some(s.as_str()) == source);
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

/// The full keys that tell the cells apart, in file order: their axes, and of what is zipped with these as much as
/// is needed.
pub fn axes(rows: &[Row]) -> Vec<String> {
    let Some(first) = rows.first() else {
        return Vec::new();
    };
    let kinds = |keys: &[String]| {
        let mut seen: Vec<Vec<Option<&toml::Value>>> = Vec::new();
        for row in rows {
            let at: Vec<_> = keys.iter().map(|k| names::at(row, k)).collect();
            if !seen.contains(&at) {
                seen.push(at);
            }
        }
        seen.len()
    };
    let mut keys = first.axes.clone();
    for (key, _) in &first.at {
        if keys.contains(key) {
            continue;
        }
        let mut more = keys.clone();
        more.push(key.clone());
        if kinds(&more) > kinds(&keys) {
            keys = more;
        }
    }
    let place = |key: &String| first.at.iter().position(|(k, _)| k == key);
    keys.sort_by_key(place);
    keys
}

/// What the experiment asked for, then what else the rows carry but the baselines.
pub fn metrics(report: &Report) -> Vec<Metric> {
    let world = report.world();
    let found = names::metrics(report.rows);
    let evals = report
        .sweep
        .cells
        .iter()
        .filter_map(|c| c.spec.eval.as_ref());
    let asked = evals.flat_map(|e| &e.metrics);
    let mut keys: Vec<String> = Vec::new();
    for key in asked.map(|m| m.id().to_string()).chain(found) {
        if !keys.contains(&key) && !names::is_baseline(&key) {
            keys.push(key);
        }
    }
    let metric = |key: String| Metric {
        label: names::metric(&key, world),
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
        let reference = ["eval.reference", "eval.preset"].map(|key| names::at(row, key));
        groups.push(
            seen.iter()
                .position(|s| *s == reference)
                .unwrap_or(seen.len()),
        );
        if groups.last() == Some(&seen.len()) {
            seen.push(reference);
        }
    }
    groups
}

fn entries(rows: &[&Row], groups: &[usize], metric: &Metric) -> Vec<Option<Entry>> {
    let scores: Vec<_> = rows.iter().map(|r| names::score(r, &metric.key)).collect();
    let decimals = names::decimals(&metric.key, scores.iter().flatten().map(|s| s.value));
    let best = |group: usize| {
        let values = scores.iter().zip(groups);
        let values = values.filter(|(_, g)| **g == group);
        let values: Vec<f64> = values.filter_map(|(s, _)| s.map(|s| s.value)).collect();
        // One alone is not the best of anything.
        let values = values.iter().copied().filter(|_| values.len() > 1);
        match metric.better? {
            Better::Lower => values.reduce(f64::min),
            Better::Higher => values.reduce(f64::max),
        }
    };
    let entry = |i: usize| {
        let score = scores[i]?;
        let known = score.low.is_finite() && score.high.is_finite() && score.low < score.high;
        Some(Entry {
            value: format!("{:.decimals$}", score.value),
            interval: known
                .then(|| format!("[{:.decimals$}, {:.decimals$}]", score.low, score.high)),
            best: best(groups[i]) == Some(score.value),
        })
    };
    (0..rows.len()).map(entry).collect()
}

/// The rows by the report's sort key: an axis upward, a metric from its good end, what is missing last.
fn sorted<'a>(report: &Report<'a>) -> Result<Vec<&'a Row>> {
    let mut rows: Vec<&Row> = report.rows.iter().collect();
    let Some(key) = report.sort else {
        return Ok(rows);
    };
    let axes = axes(report.rows);
    let short = names::short(&axes, &[]);
    if let Some(i) = (0..axes.len()).find(|&i| axes[i] == key || short[i] == key) {
        rows.sort_by(|a, b| compare(names::at(a, &axes[i]), names::at(b, &axes[i])));
        return Ok(rows);
    }
    let metrics: Vec<String> = metrics(report).into_iter().map(|m| m.key).collect();
    if !metrics.iter().any(|m| m == key) {
        let known: Vec<String> = short.into_iter().chain(metrics).collect();
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

/// Numbers by size, everything else by its text.
pub fn compare(a: Option<&toml::Value>, b: Option<&toml::Value>) -> Ordering {
    match (a.and_then(names::number), b.and_then(names::number)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.map(names::value).cmp(&b.map(names::value)),
    }
}
