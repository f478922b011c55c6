//! An axis of an experiment file, and what its keys and values are called.

use crate::experiment::grid::overlay::show;
use anyhow::{Result, ensure};
use std::collections::HashSet;

/// More cells than anybody means; a list typed with one zero too many should say so.
pub const MOST_CELLS: usize = 100_000;

/// The key of the axis on which cases stand by their names.
pub const CASE: &str = "case";

/// Tables that hold no value of a cell.
pub const NO_VALUES: [&str; 9] = [
    "grid",
    "zip",
    "case",
    "chart",
    "published",
    "claim",
    "report",
    "slurm",
    "defaults",
];

/// Where an axis stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Grid,
    Zip,
    Case,
}

/// What moves together: one list of the grid, the lists of one zip, or the values of all cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Dotted key and values; all of one length, at least 1. None where a case leaves the key out.
    pub lists: Vec<(String, Vec<Option<toml::Value>>)>,
    pub place: Place,
    /// Keys that take several values within one case; none elsewhere.
    pub crossed: Vec<String>,
}

impl Axis {
    pub fn len(&self) -> usize {
        self.lists[0].1.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key that stands for the axis in labels.
    pub fn key(&self) -> &str {
        &self.lists[0].0
    }

    /// The keys that tell its values apart: the first, and where several move together as many more as that takes. Of cases
    /// without names also each that some have and others leave out: it is what those are about.
    pub fn labels(&self) -> Vec<&str> {
        let kinds = |chosen: &[&(String, Vec<Option<toml::Value>>)]| {
            let row = |n: usize| {
                chosen
                    .iter()
                    .map(|(_, v)| v[n].as_ref().map(written))
                    .collect()
            };
            let rows: HashSet<Vec<Option<String>>> = (0..self.len()).map(row).collect();
            rows.len()
        };
        let named = self.place == Place::Case && self.key() == CASE;
        let mut chosen = vec![&self.lists[0]];
        for list in &self.lists[1..] {
            let mut more = chosen.clone();
            more.push(list);
            let left_out = list.1.iter().any(Option::is_none);
            if kinds(&more) > kinds(&chosen) || left_out && !named {
                chosen = more;
            }
        }
        chosen.iter().map(|(key, _)| key.as_str()).collect()
    }

    pub fn place(&self) -> &'static str {
        match self.place {
            Place::Grid => "[grid]",
            Place::Zip => "[[zip]]",
            Place::Case => "[[case]]",
        }
    }
}

/// A text that is the same for equal values alone: 0 and 0.0 are one, 0 and "0" are not.
pub fn written(value: &toml::Value) -> String {
    let whole = value.as_integer().map(|whole| whole as f64);
    match value.as_float().or(whole) {
        Some(number) => number.to_string(),
        None => value.to_string(),
    }
}

/// A value of an axis as a person writes it, `-` where a case leaves the key out.
pub fn shown(value: Option<&toml::Value>) -> String {
    value.map_or("-".to_string(), show)
}

/// Values of an axis as a person writes them, each once.
pub fn all_of(values: &[toml::Value]) -> String {
    let mut seen = HashSet::new();
    let values = values.iter().filter(|value| seen.insert(written(value)));
    values.map(show).collect::<Vec<_>>().join(", ")
}

/// That `key` is one of a cell's values.
pub fn check_key(place: &str, key: &str) -> Result<()> {
    let root = key.split('.').next().unwrap_or(key);
    ensure!(
        root != "name" && !NO_VALUES.contains(&root),
        "{place} `{key}` cannot be an axis"
    );
    Ok(())
}

/// The keys that tell cells apart, over all axes.
pub fn labels(axes: &[Axis]) -> Vec<String> {
    let labels = axes.iter().flat_map(Axis::labels);
    labels.map(String::from).collect()
}

/// What a key is called for short: `upsample.checkpoint` says whether there is a second stage, and which.
pub fn called(key: &str) -> &str {
    match key {
        "upsample.checkpoint" => "upsample",
        _ => key,
    }
}

/// The last segment of each key; where two share it, both take as much of the path as tells them apart.
pub fn short_names(keys: &[String]) -> Vec<String> {
    let tail = |key: &str, n: usize| {
        let parts: Vec<&str> = called(key).split('.').collect();
        parts[parts.len().saturating_sub(n)..].join(".")
    };
    let shared = |key: &String, n: usize| {
        let mut others = keys.iter().filter(|other| *other != key);
        others.any(|other| tail(other, n) == tail(key, n))
    };
    keys.iter()
        .map(|key| {
            let n = (1..8).find(|&n| !shared(key, n)).unwrap_or(8);
            tail(key, n)
        })
        .collect()
}
