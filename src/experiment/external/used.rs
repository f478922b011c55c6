//! Whether every axis reaches a cell's program or the names of its images: an axis that does not makes equal cells.

use crate::experiment::grid::axis::Axis;
use crate::experiment::grid::case::CASE;
use crate::experiment::grid::overlay::leaves;
use crate::experiment::grid::template::names;
use anyhow::{Result, bail};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Refuses an axis that nothing takes in the cell `table`, whose texts are not filled yet. Cells of nets of ours are judged
/// by the types of their tables.
pub fn check(table: &Table, axes: &[Axis]) -> Result<()> {
    let has = |name: &str, key: &str| {
        let inner = table.get(name).and_then(Value::as_table);
        inner.is_some_and(|inner| inner.contains_key(key))
    };
    if !has("sample", "command") && !has("sample", "from") {
        return Ok(());
    }
    let reached = reached(table);
    let net_trains = table.contains_key("train") && !has("train", "command");
    let takes = |key: &str| {
        let root = key.split('.').next().unwrap_or(key);
        let whole = ["sample", "train", "model", "guidance", "vars"].contains(&root);
        reached.contains(key)
            || (reached.contains("config") && whole)
            || (reached.contains("seed") && (key == "sample.seed" || key == "train.seed"))
            || (net_trains && ["train", "model"].contains(&root))
            || (root == "sample" && key != "sample.seed")
            || (root == "train" && key != "train.seed")
            || root == "eval"
    };
    for axis in axes.iter().filter(|axis| axis.len() > 1) {
        let keys = || axis.lists.iter().map(|(key, _)| key.as_str());
        let any = keys().any(|key| key != CASE && takes(key));
        let idle = axis.crossed.iter().find(|key| !takes(key));
        let idle = idle
            .map(String::as_str)
            .or(if any { None } else { Some(axis.key()) });
        if let Some(key) = idle {
            bail!(
                "{key} is an axis of {}, and neither the command nor the names of the images take it, so that all its cells would be the same\nhint: {}",
                axis.place(),
                if key == "sample.seed" {
                    "hand it on as `{seed}`".to_string()
                } else {
                    format!("write `{{{key}}}` where it is to stand, or take the axis out")
                }
            );
        }
    }
    Ok(())
}

/// The names that the texts of programs and of images' places hold, and those that these lead to.
fn reached(table: &Table) -> BTreeSet<String> {
    let values = leaves(table, "");
    let text_of = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items
                .iter()
                .filter_map(|v| v.as_str().map(String::from))
                .collect(),
            _ => Vec::new(),
        }
    };
    let is_start = |key: &str| {
        let mut parts = key.split('.');
        let root = parts.next().unwrap_or_default();
        let inner = parts.next().unwrap_or_default();
        ["sample", "train", "eval"].contains(&root)
            && ["command", "env", "inputs", "from", "collect"].contains(&inner)
    };
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = values
        .iter()
        .filter(|(key, _)| is_start(key))
        .flat_map(|(_, value)| text_of(value))
        .collect();
    while let Some(text) = open.pop() {
        for name in names(&text).unwrap_or_default() {
            if found.insert(name.clone())
                && let Some((_, value)) = values.iter().find(|(key, _)| *key == name)
            {
                open.extend(text_of(value));
            }
        }
    }
    found
}
