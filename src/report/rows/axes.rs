//! The axes that tell the cells of a study apart, found once a report.

use crate::experiment::grid::axis::called;
use crate::report::rows::seeds::{is_seed, variant_key};
use crate::report::rows::values::{self, at, distinct, number, places, text};
use crate::run::results::Row;
use std::collections::HashSet;

/// The axis of classifier guidance. Cells that differ in it alone share the noise and the class of every image index.
pub const GUIDANCE: &str = "guidance.scale";

/// An axis that labels the cells.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The full dotted key.
    pub key: String,
    /// The shortest end of the key that no other axis has.
    pub name: String,
    /// The distinct values, as `distinct` orders them.
    pub values: Vec<toml::Value>,
    /// Whether some cell has none.
    gaps: bool,
}

impl Axis {
    fn varies(&self) -> bool {
        self.values.len() + usize::from(self.gaps) > 1
    }

    fn numeric(&self) -> bool {
        self.values.iter().all(|v| number(v).is_some())
    }
}

/// The axes of all cells, in file order.
#[derive(Clone, Debug)]
pub struct Axes {
    pub all: Vec<Axis>,
    /// Cells that differ in more than their seeds.
    variants: usize,
}

impl Axes {
    pub fn of(rows: &[Row]) -> Self {
        let keys = keys(rows);
        let names = short(&keys, &[]);
        let all = keys.into_iter().zip(names).map(|(key, name)| Axis {
            values: distinct(rows, &key),
            gaps: rows.iter().any(|row| at(row, &key).is_none()),
            key,
            name,
        });
        Self {
            all: all.collect(),
            variants: rows.iter().map(variant_key).collect::<HashSet<_>>().len(),
        }
    }

    /// An axis by its full key or its short name.
    pub fn find(&self, name: &str) -> Option<&Axis> {
        self.all.iter().find(|a| a.key == name || a.name == name)
    }

    /// The axes that take more than one value; having none counts as one.
    pub fn varying(&self) -> impl DoubleEndedIterator<Item = &Axis> {
        self.all.iter().filter(|axis| axis.varies())
    }

    /// The varying axes that change what a cell is, which seeds do not.
    pub fn changing(&self) -> impl DoubleEndedIterator<Item = &Axis> {
        self.varying().filter(|axis| !is_seed(&axis.key))
    }

    /// True where there is a cell for each combination of the axes' values, seeds aside.
    pub fn crossed(&self) -> bool {
        let lengths = self.changing().map(|axis| axis.values.len());
        lengths.product::<usize>() == self.variants
    }

    /// The axis whose effect is told: guidance scale where it varies, else the last axis of numbers, else the last;
    /// never a seed, and none where there is not a cell for each combination.
    pub fn swept(&self) -> Option<&Axis> {
        let scale = self.changing().find(|axis| axis.key == GUIDANCE);
        let numbers = || self.changing().rfind(|axis| axis.numeric());
        let last = || self.changing().next_back();
        let axis = scale.or_else(numbers).or_else(last)?;
        self.crossed().then_some(axis)
    }

    /// The short name of a key; of one that is no axis its last segment.
    pub fn name<'a>(&'a self, key: &'a str) -> &'a str {
        let last = || key.rsplit('.').next().unwrap_or(key);
        let axis = self.all.iter().find(|axis| axis.key == key);
        axis.map_or_else(last, |axis| &axis.name)
    }

    /// `scale 1`: the short name and the value.
    pub fn label(&self, key: &str, value: &toml::Value) -> String {
        format!("{} {}", self.name(key), text(value))
    }

    /// `resolution 16, steps 25`: where a row stands on the given keys.
    pub fn place<'a>(&self, row: &Row, keys: impl Iterator<Item = &'a str>) -> String {
        let parts = keys.filter_map(|key| Some(self.label(key, at(row, key)?)));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// The full keys that tell the cells apart, in file order: their axes, and of what is zipped with these as much as
/// is needed.
fn keys(rows: &[Row]) -> Vec<String> {
    let Some(first) = rows.first() else {
        return Vec::new();
    };
    let all = values::keys(rows);
    let mut keys = first.axes.clone();
    for key in &all {
        if keys.contains(key) {
            continue;
        }
        let mut more = keys.clone();
        more.push(key.clone());
        if places(rows, &more) > places(rows, &keys) {
            keys = more;
        }
    }
    let place = |key: &String| all.iter().position(|other| other == key);
    keys.sort_by_key(place);
    keys
}

/// The shortest ends of dotted keys that tell them apart, all that share an end lengthened together.
/// No short name is one of `taken`.
pub fn short(keys: &[String], taken: &[String]) -> Vec<String> {
    let end = |key: &str, n: usize| {
        let parts: Vec<&str> = called(key).split('.').collect();
        parts[parts.len().saturating_sub(n)..].join(".")
    };
    let deepest = keys.iter().map(|k| k.split('.').count()).max().unwrap_or(1);
    let mut depth = vec![1; keys.len()];
    for _ in 1..deepest {
        let names: Vec<String> = keys.iter().zip(&depth).map(|(k, &d)| end(k, d)).collect();
        for (i, name) in names.iter().enumerate() {
            if names.iter().filter(|n| *n == name).count() > 1 || taken.contains(name) {
                depth[i] += 1;
            }
        }
    }
    keys.iter().zip(&depth).map(|(k, &d)| end(k, d)).collect()
}

/// What stands under a chart's axis: `guidance.scale` → `guidance scale`.
pub fn title(key: &str) -> String {
    match key {
        "model.resolution" => "resolution (pixels a side)".into(),
        "sample.steps" => "sampling steps".into(),
        "sample.eta" => "eta (DDIM noise)".into(),
        "sample.count" => "images".into(),
        "sample.seed" => "seed".into(),
        "evaluations" => "network evaluations an image".into(),
        "sample.trained_steps" => "training steps".into(),
        "sample.ema" | "train.ema" => "EMA (decay a step)".into(),
        "sample.ema_length" => "EMA length (sigma_rel)".into(),
        "guidance.ema" => "EMA of the guide (decay a step)".into(),
        "guidance.ema_length" => "EMA length of the guide (sigma_rel)".into(),
        "upsample.checkpoint" => "upsample".into(),
        "upsample.steps" => "upsampling steps".into(),
        // A name of the user's own says by itself what it is.
        other => other.trim_start_matches("vars.").replace(['.', '_'], " "),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn short_names_grow_together_where_they_collide() {
        let keys: Vec<String> = [
            "model.resolution",
            "model.checkpoint",
            "guidance.checkpoint",
        ]
        .map(String::from)
        .to_vec();
        assert_eq!(
            short(&keys, &[]),
            ["resolution", "model.checkpoint", "guidance.checkpoint"]
        );
        assert_eq!(short(&["a.fd".to_string()], &["fd".to_string()]), ["a.fd"]);
    }
}
