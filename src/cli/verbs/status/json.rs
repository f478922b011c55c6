//! The same as JSON, one object a line.

use crate::cli::open::Opened;
use crate::cli::verbs::status::cells::stage_word;
use crate::cli::verbs::status::left::Left;
use crate::cli::verbs::status::overview::Overview;
use crate::cli::verbs::status::queue::failure;
use crate::cli::verbs::status::workers::Shown;
use crate::run::plan::Plan;
use crate::run::results::rows;
use crate::run::store::State;
use anyhow::Result;
use serde_json::{Value, json};

/// One object a cell.
///
/// # Errors
/// None today.
pub fn cells(opened: &Opened) -> Result<String> {
    let plan = &opened.plan;
    let mut lines = Vec::new();
    for (n, row) in rows(plan, &opened.store).iter().enumerate() {
        let at: serde_json::Map<String, serde_json::Value> = row
            .at
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let jobs = plan.of_cell[n].iter().map(|&at| {
            let item = &plan.items[at];
            let error = match &item.state {
                State::Failed(failure) => Some(failure.error.as_str()),
                _ => None,
            };
            json!({
                "stage": item.job.stage().name(),
                "key": item.key.full(),
                "state": stage_word(plan, n, item.job.stage()),
                "error": error,
            })
        });
        let line = json!({
            "cell": row.cell,
            "at": at,
            "jobs": jobs.collect::<Vec<_>>(),
            "scores": row.scores,
            "missing": row.missing,
        });
        lines.push(line.to_string());
    }
    Ok(lines.join("\n"))
}

/// One object a worker, then one of what is left, with every failure.
///
/// # Errors
/// Where a record cannot be written as JSON.
pub fn workers(opened: &Opened, overview: &Overview) -> Result<String> {
    let plan = &opened.plan;
    let workers = overview.workers.iter().map(|shown| worker(plan, shown));
    let mut lines = workers.collect::<Result<Vec<Value>>>()?;
    let failures = overview.queue.failed.iter().map(|&n| {
        let (item, failure) = (&plan.items[n], failure(plan, n));
        let cells = item.cells.iter().map(|&cell| plan.cells[cell].index);
        json!({
            "stage": item.job.stage().name(),
            "key": item.key.full(),
            "cells": cells.collect::<Vec<_>>(),
            "error": failure.map(|failure| failure.error.as_str()),
            "host": failure.map(|failure| failure.host.as_str()),
            "device": failure.map(|failure| failure.device.as_str()),
            "at": failure.map(|failure| failure.at.as_str()),
        })
    });
    let seconds = match &overview.left {
        Left::Between(low, high) => json!([low, high]),
        Left::Nobody(_) | Left::Unknown(_) => Value::Null,
    };
    lines.push(json!({
        "queue": overview.queue.lines,
        "failures": failures.collect::<Vec<_>>(),
        "seconds_left": seconds,
        "left": overview.left.text(),
    }));
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    Ok(lines.join("\n"))
}

/// A worker's record, how old it is, and where in this study each of its jobs stands.
fn worker(plan: &Plan, shown: &Shown) -> Result<Value> {
    let mut record = serde_json::to_value(&shown.record)?;
    let places = shown.items.iter().zip(&shown.at).map(|(item, at)| {
        let cell = item.map(|item| plan.first_cell(item).index);
        json!({ "cell": cell, "at": at })
    });
    if let Some(fields) = record.as_object_mut() {
        let age = shown.age.map(|age| age.as_secs_f64());
        fields.insert("heartbeat_seconds_ago".to_string(), json!(age));
        fields.insert("silent".to_string(), json!(shown.silent()));
        fields.insert("places".to_string(), json!(places.collect::<Vec<_>>()));
    }
    Ok(json!({ "worker": record }))
}
