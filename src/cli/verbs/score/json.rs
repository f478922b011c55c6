//! Scores as programs read them: an object a score on stdout, torch-fidelity's own object, rows of a CSV file.

use crate::cli::screen::terminal::out;
use crate::cli::verbs::score::scoring::{About, Column, Scored};
use crate::stages::score::measured::{Measured, Number};
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

type Object = Map<String, Value>;

fn object(about: &About, column: &Column, measured: &Measured) -> Object {
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

/// For each set against each reference a line a score, then a line a finding, then one of the labels and one of what was
/// left out, where there are some. Where several were asked for, all lines say of which set and reference they are.
pub fn lines(all: &[Scored]) -> Result<()> {
    for scored in all {
        let about = &scored.about;
        let line = |key: &str, value: Value| {
            let mut line = Map::new();
            if !scored.alone {
                line.insert("samples".to_string(), json!(about.samples));
                line.insert("reference".to_string(), json!(about.reference));
            }
            line.insert(key.to_string(), value);
            out(&Value::Object(line).to_string())
        };
        for column in &scored.columns {
            for measured in &column.measured {
                out(&Value::Object(object(about, column, measured)).to_string())?;
            }
        }
        for finding in &scored.findings {
            line("finding", json!(finding))?;
        }
        if let Some(labels) = &scored.labels {
            line("labels", json!(labels))?;
        }
        if !scored.left_out.is_empty() {
            line("left_out", json!(scored.left_out))?;
        }
    }
    Ok(())
}

/// An object for each set against each reference: the tool's own keys with the numbers that could be measured, as
/// torch-fidelity's `--json` has them, then what ours say beside.
pub fn objects(all: &[Scored]) -> Result<()> {
    for scored in all {
        let mut whole = Map::new();
        let mut scores = Vec::new();
        for column in &scored.columns {
            for measured in &column.measured {
                if let Some(number) = measured.number() {
                    whole.insert(measured.name.to_string(), json!(number.score.value));
                }
                scores.push(Value::Object(object(&scored.about, column, measured)));
            }
        }
        whole.insert("scores".to_string(), Value::Array(scores));
        if !scored.findings.is_empty() {
            whole.insert("findings".to_string(), json!(scored.findings));
        }
        if let Some(labels) = &scored.labels {
            whole.insert("labels".to_string(), json!(labels));
        }
        if !scored.left_out.is_empty() {
            whole.insert("left_out".to_string(), json!(scored.left_out));
        }
        out(&Value::Object(whole).to_string())?;
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
pub fn append_csv(path: &Path, all: &[Scored]) -> Result<()> {
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
    for scored in all {
        for column in &scored.columns {
            for measured in &column.measured {
                let object = object(&scored.about, column, measured);
                let cells = HEAD.map(|key| quoted(object.get(key).unwrap_or(&Value::Null)));
                text += &format!("{}\n", cells.join(","));
            }
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
