//! Rows to a polars frame, one row a cell, columns = axes, then each metric with its interval and count; and the frame
//! as CSV and Parquet, which polars writes.

use crate::report::rows::axes::short;
use crate::report::rows::values::{self, at, number};
use crate::report::rows::{names, published};
use crate::run::results::{Row, Score};
use anyhow::{Context, Result};
use polars::prelude::{Column, CsvWriter, DataFrame, ParquetWriter, SerWriter};

/// The column of training steps; importers of tables look for this name.
const STEP: &str = "step";

/// cell u64 | every axis | step u64, where a cell knows its training step | metric, metric_low, metric_high f64,
/// metric_count u64 | state. What a missing cell lacks is null, and `state` says why. A published row has no cell, and its
/// `state` says where it was printed.
///
/// # Errors
/// Where polars refuses the columns.
pub fn frame(rows: &[Row]) -> Result<DataFrame> {
    let metrics = names::metrics(rows);
    let cell = |r: &Row| published::source(r).is_none().then_some(r.cell as u64);
    let mut columns = vec![Column::new(
        "cell".into(),
        rows.iter().map(cell).collect::<Vec<Option<u64>>>(),
    )];
    let stepped = rows.iter().any(|r| r.step.is_some());
    let mut taken = vec!["cell".to_string(), "state".to_string()];
    taken.extend(stepped.then(|| STEP.to_string()));
    for metric in &metrics {
        for end in ["", "_low", "_high", "_count"] {
            taken.push(format!("{metric}{end}"));
        }
    }
    let keys = values::keys(rows);
    for (key, name) in keys.iter().zip(short(&keys, &taken)) {
        let values: Vec<Option<&toml::Value>> = rows.iter().map(|r| at(r, key)).collect();
        columns.push(axis(&name, &values));
    }
    if stepped {
        let steps: Vec<Option<u64>> = rows.iter().map(|r| r.step).collect();
        columns.push(Column::new(STEP.into(), steps));
    }
    for metric in &metrics {
        columns.extend(scores(rows, metric));
    }
    let states: Vec<&str> = rows
        .iter()
        .map(|r| r.missing.as_deref().unwrap_or("done"))
        .collect();
    columns.push(Column::new("state".into(), states));
    Ok(DataFrame::new(rows.len(), columns)?)
}

/// Every digit of every number; nulls are empty.
///
/// # Errors
/// Where polars cannot write the frame.
pub fn csv(frame: &DataFrame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes)
        .finish(&mut frame.clone())
        .context("writing table.csv")?;
    Ok(bytes)
}

/// The frame with its types; the same bytes for the same frame.
///
/// # Errors
/// Where polars cannot write the frame.
pub fn parquet(frame: &DataFrame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .set_parallel(false)
        .finish(&mut frame.clone())
        .context("writing table.parquet")?;
    Ok(bytes)
}

/// The narrowest of i64, f64, bool and text that holds all values.
fn axis(name: &str, values: &[Option<&toml::Value>]) -> Column {
    let known = || values.iter().flatten();
    if known().all(|v| v.is_integer()) {
        let ints: Vec<Option<i64>> = values
            .iter()
            .map(|v| v.and_then(|v| v.as_integer()))
            .collect();
        return Column::new(name.into(), ints);
    }
    if known().all(|v| v.is_integer() || v.is_float()) {
        let floats: Vec<Option<f64>> = values.iter().map(|v| v.and_then(number)).collect();
        return Column::new(name.into(), floats);
    }
    if known().all(|v| v.is_bool()) {
        let bools: Vec<Option<bool>> = values.iter().map(|v| v.and_then(|v| v.as_bool())).collect();
        return Column::new(name.into(), bools);
    }
    let text = |v: &toml::Value| match v {
        toml::Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let texts: Vec<Option<String>> = values.iter().map(|v| v.map(text)).collect();
    Column::new(name.into(), texts)
}

fn scores(rows: &[Row], metric: &str) -> [Column; 4] {
    let of = |pick: fn(&Score) -> f64| -> Vec<Option<f64>> {
        rows.iter()
            .map(|r| names::score(r, metric).map(pick).filter(|v| v.is_finite()))
            .collect()
    };
    let counts: Vec<Option<u64>> = rows
        .iter()
        .map(|r| Some(names::score(r, metric)?.count as u64).filter(|n| *n > 0))
        .collect();
    [
        Column::new(metric.into(), of(|s| s.value)),
        Column::new(format!("{metric}_low").into(), of(|s| s.low)),
        Column::new(format!("{metric}_high").into(), of(|s| s.high)),
        Column::new(format!("{metric}_count").into(), counts),
    ]
}
