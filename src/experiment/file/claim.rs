//! `[[claim]]`: what others have found, to be put to the test of the measured scores.

use crate::experiment::check::ranges::{Range, not_empty};
use crate::experiment::grid::axis::all_of;
use crate::experiment::grid::overlay::{leaves, same, show};
use crate::experiment::schema::texts::not_blank;
use crate::experiment::scoring::metric::Metric;
use anyhow::{Result, bail, ensure};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// That cells of one kind score better than cells of another, all else equal. The report tells whether it holds here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Where it was made.
    #[schemars(transform = not_blank, example = &"arXiv:2105.05233, table 3")]
    pub source: String,
    /// The claim in words.
    #[schemars(transform = not_blank, example = &"AdaGN beats addition")]
    pub says: String,
    /// The metric by which it is judged; one of `eval.metrics` that has a good end.
    #[schemars(example = &"fd")]
    pub metric: Metric,
    /// The axes of this file on which the better cells stand, and the value on each: `better.model.arch.adagn = true`.
    #[schemars(schema_with = "open_table", transform = not_empty)]
    pub better: toml::Table,
    /// The same axes, where it is worse: `than.model.arch.adagn = false`.
    #[schemars(schema_with = "open_table", transform = not_empty)]
    pub than: toml::Table,
    /// How much better it was there, as a share of the worse score: 0.1 where 9 stands against 10. With it a difference that
    /// is not seen can be ruled out: no difference larger than X, where X is less than this share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::AboveZero, example = 0.1)]
    pub effect: Option<f64>,
    /// Other axes on which both stand, as far as their cells have them: `at.sample.steps = 10`. What is not named is averaged
    /// over.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(schema_with = "open_table")]
    pub at: toml::Table,
}

fn open_table(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

impl Claim {
    /// Where the better cells stand, by dotted keys.
    pub fn here(&self) -> Vec<(String, toml::Value)> {
        [leaves(&self.better, ""), leaves(&self.at, "")].concat()
    }

    /// Where the others stand.
    pub fn there(&self) -> Vec<(String, toml::Value)> {
        [leaves(&self.than, ""), leaves(&self.at, "")].concat()
    }
}

/// `lists` holds the values of the axes. Every claim compares two places on axes of the file, by a metric that the file asks for and that has a good end.
pub fn check(
    claims: &[Claim],
    lists: &[(String, Vec<toml::Value>)],
    metrics: &[Metric],
) -> Result<()> {
    for (n, claim) in claims.iter().enumerate() {
        let place = format!("[[claim]] {}", n + 1);
        ensure!(!claim.source.trim().is_empty(), "{place}: source is empty");
        ensure!(!claim.says.trim().is_empty(), "{place}: says is empty");
        let measured = metrics.contains(&claim.metric);
        ensure!(
            measured && claim.metric.better().is_some(),
            "{place}: metric = \"{}\" is {}",
            claim.metric.id(),
            if measured {
                "neither good when high nor when low"
            } else {
                "not a metric of [eval]"
            }
        );
        if let Some(effect) = claim.effect {
            Range::AboveZero.check(&format!("{place}: effect"), effect)?;
        }
        let keys = |table: &toml::Table| -> Vec<String> {
            let mut keys: Vec<String> = leaves(table, "").into_iter().map(|(k, _)| k).collect();
            keys.sort();
            keys
        };
        ensure!(
            !claim.better.is_empty() && keys(&claim.better) == keys(&claim.than),
            "{place}: better ({}) and than ({}) must name the same axes",
            keys(&claim.better).join(", "),
            keys(&claim.than).join(", ")
        );
        ensure!(
            claim.better != claim.than,
            "{place}: better and than are the same cells"
        );
        for (key, value) in claim.here().into_iter().chain(claim.there()) {
            let Some((_, values)) = lists.iter().find(|(name, _)| *name == key) else {
                let names: Vec<&str> = lists.iter().map(|(name, _)| name.as_str()).collect();
                bail!("{place}: {key} is not an axis ({})", names.join(", "));
            };
            ensure!(
                values.iter().any(|v| same(v, &value)),
                "{place}: {key} = {} is not on the axis, which has {}",
                show(&value),
                all_of(values)
            );
        }
    }
    Ok(())
}
