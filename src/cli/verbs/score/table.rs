//! Scores as people and programs read them: a table on stdout, one JSON object a line, rows appended to a CSV file.

use crate::cli::screen::terminal::{number, out, say, table, thousands};
use crate::data::labels::balance::Spread;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::rules::Preprocessing;
use crate::stages::score::measured::{Measured, Number};
use crate::stages::score::sides::Compared;
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// What stands in every result.
pub struct About {
    pub samples: String,
    pub reference: String,
    /// sha256 of the feature net's weights.
    pub weights: String,
    pub count: usize,
    /// Images behind the reference's moments, where known.
    pub real: Option<u64>,
}

/// One evaluator's numbers.
pub struct Column {
    pub preset: String,
    pub preprocessing: Preprocessing,
    pub measured: Vec<Measured>,
}

/// `4.87 [4.79, 4.96]`, or `4.87` where there is no interval.
fn shown(measured: &Measured) -> String {
    let Some(Number { score, .. }) = measured.number() else {
        return "-".to_string();
    };
    let value = number(score.value);
    if score.low.is_nan() {
        return value;
    }
    format!("{value} [{}, {}]", number(score.low), number(score.high))
}

/// A single preset as a list, several side by side.
pub fn print(about: &About, columns: &[Column]) -> Result<()> {
    match columns {
        [one] => list(one)?,
        many => side_by_side(many)?,
    }
    for column in columns {
        for measured in &column.measured {
            if let Err(why) = &measured.number {
                say(&format!("{}: no {}: {why}", column.preset, measured.name));
            }
        }
    }
    let real = about
        .real
        .map_or("an unknown number of".to_string(), thousands);
    say(&format!(
        "n = {} samples of {}; reference {} ({real} images); feature net sha256 {}; [low, high] = 95 %",
        thousands(about.count as u64),
        about.samples,
        about.reference,
        &about.weights[..8]
    ));
    Ok(())
}

fn list(column: &Column) -> Result<()> {
    let numbers = || column.measured.iter().filter_map(Measured::number);
    let biased = numbers().any(|number| number.bias.is_some());
    let compat = numbers().any(|number| number.compat.is_some());
    let mut head = vec!["metric".to_string(), column.preset.clone()];
    head.extend(biased.then(|| "bias".to_string()));
    head.extend(compat.then(|| "as SciPy prints".to_string()));
    let mut rows = vec![head];
    let or_none = |value: Option<f64>| value.map_or("-".to_string(), number);
    for measured in &column.measured {
        let mut row = vec![measured.name.to_string(), shown(measured)];
        let known = measured.number();
        row.extend(biased.then(|| or_none(known.and_then(|number| number.bias))));
        row.extend(compat.then(|| or_none(known.and_then(|number| number.compat))));
        rows.push(row);
    }
    out(&table(&rows, &[]))
}

/// A row for each evaluator and a column for each metric; the last row is the largest difference between evaluators, in
/// the metric's own unit.
fn side_by_side(columns: &[Column]) -> Result<()> {
    let mut metrics: Vec<Metric> = columns
        .iter()
        .flat_map(|column| column.measured.iter().map(|m| m.metric))
        .collect();
    metrics.sort_by_key(|metric| (metric.row().method, *metric));
    metrics.dedup();
    let mut head = vec!["preset".to_string()];
    head.extend(metrics.iter().map(|metric| metric.id().to_string()));
    let mut rows = vec![head];
    let find = |column: &Column, metric: Metric| -> Option<(String, Option<f64>)> {
        let found = column.measured.iter().find(|m| m.metric == metric)?;
        Some((shown(found), found.number().map(|n| n.score.value)))
    };
    for column in columns {
        let mut row = vec![column.preset.clone()];
        row.extend(metrics.iter().map(|metric| {
            let cell = find(column, *metric).map(|(text, _)| text);
            cell.unwrap_or_default()
        }));
        rows.push(row);
    }
    let mut spread = vec!["difference".to_string()];
    for metric in &metrics {
        let values = columns.iter().filter_map(|c| find(c, *metric)?.1);
        let values: Vec<f64> = values.collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        spread.push(match values.len() {
            0 | 1 => String::new(),
            _ => number(most - least),
        });
    }
    rows.push(spread);
    out(&table(&rows, &[]))
}

/// `labels: 1,000 classes, 37 to 62 images each`
pub fn spread(labels: &Spread) -> String {
    let n = |count: usize| thousands(count as u64);
    let mut parts = Vec::new();
    let (least, most, none) = (labels.least, labels.most, labels.images - labels.labelled);
    if labels.classes > 0 {
        let classes = match labels.of.filter(|of| *of > labels.classes) {
            Some(of) => format!("{} of {} classes", n(labels.classes), n(of)),
            None if labels.classes == 1 => "1 class".to_string(),
            None => format!("{} classes", n(labels.classes)),
        };
        let told = if labels.folders { " (folders)" } else { "" };
        parts.push(match (least, most) {
            _ if labels.classes == 1 => format!("{classes}{told}"),
            (1, 1) => format!("{classes}{told}, balanced, 1 image each"),
            _ if least == most => format!("{classes}{told}, balanced, {} images each", n(most)),
            _ => format!("{classes}{told}, {} to {} images each", n(least), n(most)),
        });
        if none > 0 {
            parts.push(format!(
                "{} of {} images have none",
                n(none),
                n(labels.images)
            ));
        }
    }
    if !labels.unread.is_empty() {
        let unread = labels.unread.join("; ");
        parts.push(format!("not known ({unread}); the scores need none"));
    }
    format!("labels: {}", parts.join("; "))
}

fn object(about: &About, column: &Column, measured: &Measured) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_string(), value);
    put("samples", json!(about.samples));
    put("reference", json!(about.reference));
    put("weights", json!(about.weights));
    put("preset", json!(column.preset));
    put("preprocessing", json!(column.preprocessing.name()));
    put("metric", json!(measured.metric.id()));
    put("name", json!(measured.name));
    match &measured.number {
        Ok(Number { score, .. }) => {
            put("value", json!(score.value));
            put("low", json!(score.low));
            put("high", json!(score.high));
            put("count", json!(score.count));
        }
        Err(why) => {
            put("value", Value::Null);
            put("why", json!(why.to_string()));
        }
    }
    let known = measured.number();
    put("bias", json!(known.and_then(|number| number.bias)));
    put("compat", json!(known.and_then(|number| number.compat)));
    put("samples_count", json!(about.count));
    put("reference_count", json!(about.real));
    object
}

/// A line a score, then a line a finding, then one of the labels and one of what was left out, where there are some.
pub fn json_lines(about: &About, columns: &[Column], both: &Compared) -> Result<()> {
    for column in columns {
        for measured in &column.measured {
            out(&Value::Object(object(about, column, measured)).to_string())?;
        }
    }
    for finding in &both.findings {
        out(&json!({ "finding": finding }).to_string())?;
    }
    if let Some(labels) = &both.labels {
        out(&json!({ "labels": labels }).to_string())?;
    }
    let left_out = &both.left_out;
    if !(left_out.samples.is_empty() && left_out.reference.is_empty()) {
        out(&json!({ "left_out": left_out }).to_string())?;
    }
    Ok(())
}

const HEAD: [&str; 13] = [
    "samples",
    "reference",
    "weights",
    "preset",
    "preprocessing",
    "metric",
    "value",
    "low",
    "high",
    "count",
    "bias",
    "samples_count",
    "reference_count",
];

/// Adds a row a score to a table, which gets its head when it is new; a table with another head is refused.
pub fn append_csv(path: &Path, about: &About, columns: &[Column]) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .with_context(writing)?;
    let head = HEAD.join(",");
    let mut text = String::new();
    match BufReader::new(&file).lines().next() {
        None => text += &format!("{head}\n"),
        Some(first) => ensure!(
            first.with_context(writing)?.trim_end() == head,
            "{} has other columns than scores have: {head}\nhint: give `--csv` a new file",
            path.display()
        ),
    }
    for column in columns {
        for measured in &column.measured {
            let object = object(about, column, measured);
            let cells = HEAD.map(|key| quoted(object.get(key).unwrap_or(&Value::Null)));
            text += &format!("{}\n", cells.join(","));
        }
    }
    file.write_all(text.as_bytes()).with_context(writing)
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
