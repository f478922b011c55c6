//! `[[published]]`: what it may say, checked against the axes and the metrics of its file.

use crate::experiment::check::ranges::not_empty;
use crate::experiment::grid::axis::all_of;
use crate::experiment::grid::overlay::{leaves, same, show};
use crate::experiment::schema::texts::not_blank;
use crate::experiment::scoring::metric::Metric;
use anyhow::{Result, ensure};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Scores that others have printed, shown beside the measured ones: tables mark them, charts draw them hollow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Where they were printed.
    #[schemars(transform = not_blank, example = &"arXiv:2105.05233, table 4")]
    pub source: String,
    /// The axes of this file on which they stand, and the value on each, written as in the file: `at.guidance.scale = 1`.
    #[schemars(schema_with = "open_table", transform = not_empty)]
    pub at: toml::Table,
    /// The numbers, by metric; each must be one of `eval.metrics`.
    #[schemars(schema_with = "by_metric", transform = not_empty, example = json_schema!({ "fid": 4.59 }))]
    pub scores: BTreeMap<Metric, f64>,
}

fn open_table(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

fn by_metric(generator: &mut SchemaGenerator) -> Schema {
    let metric = generator.subschema_for::<Metric>();
    json_schema!({ "type": "object", "propertyNames": metric, "additionalProperties": { "type": "number" } })
}

impl Published {
    /// Dotted keys of axes and the value on each, in file order.
    pub fn places(&self) -> Vec<(String, toml::Value)> {
        leaves(&self.at, "")
    }
}

/// `lists` holds the values of the axes. Every row names a source, axes of the file, and metrics that the file asks for. A number need not be on its axis:
/// papers stand between the numbers that are measured; a text that is not on its axis is a slip.
pub fn check(
    rows: &[Published],
    lists: &[(String, Vec<toml::Value>)],
    metrics: &[Metric],
) -> Result<()> {
    for (n, row) in rows.iter().enumerate() {
        let place = format!("[[published]] {}", n + 1);
        ensure!(!row.source.trim().is_empty(), "{place}: source is empty");
        ensure!(!row.scores.is_empty(), "{place}: scores is empty");
        let places = row.places();
        ensure!(!places.is_empty(), "{place}: at names no axis");
        for (key, value) in places {
            let Some((_, values)) = lists.iter().find(|(name, _)| *name == key) else {
                let names: Vec<&str> = lists.iter().map(|(name, _)| name.as_str()).collect();
                let names = if names.is_empty() {
                    "which the file has none of".to_string()
                } else {
                    format!("which are {}", names.join(", "))
                };
                anyhow::bail!("{place}: at.{key} is not one of the axes, {names}");
            };
            let number = |value: &toml::Value| value.is_integer() || value.is_float();
            let between = number(&value) && values.iter().any(number);
            let text = values.iter().find(|v| v.as_str() == Some(&show(&value)));
            ensure!(
                between || values.iter().any(|v| same(v, &value)),
                "{place}: at.{key} = {value} is not on the axis, which has {}{}",
                all_of(values),
                text.map_or(String::new(), |text| format!(
                    "\nhint: write `at.{key} = {text}`"
                ))
            );
        }
        for (metric, value) in &row.scores {
            ensure!(
                value.is_finite(),
                "{place}: scores.{} = {value} is not a number",
                metric.id()
            );
            ensure!(
                metrics.contains(metric),
                "{place}: scores.{} is not a metric of [eval] ({})",
                metric.id(),
                metrics
                    .iter()
                    .map(|m| m.id())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
    }
    Ok(())
}
