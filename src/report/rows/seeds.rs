//! Axes that repeat a cell instead of changing what it is, and means over them.

use crate::report::rows::names;
use crate::report::rows::values::{at, exact, places, varies};
use crate::run::results::{Row, Score};
use std::collections::HashMap;

/// The full keys of all seeds: of training the net, of training its classifier, of drawing.
const SEEDS: [&str; 3] = ["train.seed", "guidance.train.seed", "sample.seed"];

/// Whether an axis is a seed, by its full key.
pub fn is_seed(key: &str) -> bool {
    SEEDS.contains(&key)
}

/// A row's seeds; none where a key is no axis.
pub fn of(row: &Row) -> [Option<&toml::Value>; SEEDS.len()] {
    SEEDS.map(|key| at(row, key))
}

/// Whether an axis repeats cells here: a seed of several values.
pub fn repeats(rows: &[Row], key: &str) -> bool {
    is_seed(key) && varies(rows, key)
}

/// The most cells that differ in their seeds alone.
pub fn count(rows: &[Row]) -> usize {
    groups(rows).iter().map(Vec::len).max().unwrap_or(0)
}

/// Over how many seeds the means of the rows are, at least and at most: variants without any score aside.
pub fn scored(rows: &[Row]) -> (usize, usize) {
    let groups = groups(rows).into_iter();
    let scored = groups.map(|cells| cells.iter().filter(|row| !row.scores.is_empty()).count());
    let scored: Vec<usize> = scored.filter(|cells| *cells > 0).collect();
    let ends = scored.iter().min().zip(scored.iter().max());
    ends.map_or((0, 0), |(least, most)| (*least, *most))
}

/// Combinations of training seeds, of the net and of its guide, among the rows.
pub fn trainings(rows: &[Row]) -> usize {
    let [net, guide, _] = SEEDS;
    places(rows, &[net, guide])
}

/// Where a row stands on everything but its seeds.
pub fn place(row: &Row) -> Vec<(&str, &toml::Value)> {
    let at = row.at.iter().map(|(key, value)| (key.as_str(), value));
    at.filter(|(key, _)| !is_seed(key)).collect()
}

/// A text that two rows share where they stand alike on everything but their seeds.
pub fn variant_key(row: &Row) -> String {
    let parts = place(row).into_iter();
    let parts = parts.map(|(key, value)| format!("{key} = {}\n", exact(value)));
    parts.collect()
}

/// The cells of two variants that have the same seeds.
pub fn pairs<'a>(from: &[&'a Row], to: &[&'a Row]) -> Vec<(&'a Row, &'a Row)> {
    let seed = |row: &Row| of(row).map(|value| value.map(exact));
    let mut partners: HashMap<_, &Row> = HashMap::new();
    for row in from {
        partners.entry(seed(row)).or_insert(*row);
    }
    to.iter()
        .filter_map(|row| Some((*partners.get(&seed(row))?, *row)))
        .collect()
}

/// Cells that differ in their seeds alone.
pub struct Variant<'a> {
    /// The first of the cells, with the mean of each metric over all.
    pub row: Row,
    pub cells: Vec<&'a Row>,
}

/// The variants among the rows, in the order of their first cells.
pub fn variants(rows: &[Row]) -> Vec<Variant<'_>> {
    groups(rows).into_iter().map(variant).collect()
}

/// The rows that stand alike on everything but their seeds.
fn groups(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let group = *known.entry(variant_key(row)).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(cells) => cells.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

impl Variant<'_> {
    /// The finite scores of a metric, one a cell that has it.
    pub fn scores(&self, metric: &str) -> Vec<&Score> {
        let scores = self.cells.iter();
        scores.filter_map(|row| names::score(row, metric)).collect()
    }

    /// The standard deviation of a metric over the seeds; none of a single cell.
    pub fn deviation(&self, metric: &str) -> Option<f64> {
        let values = self.scores(metric).into_iter().map(|score| score.value);
        deviation(&values.collect::<Vec<_>>())
    }
}

/// The standard deviation of a sample (n − 1 in the denominator); none of fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt())
}

fn variant(cells: Vec<&Row>) -> Variant<'_> {
    let mut names: Vec<&str> = Vec::new();
    for score in cells.iter().flat_map(|row| &row.scores) {
        if !names.contains(&score.metric.as_str()) {
            names.push(&score.metric);
        }
    }
    let scored = |name: &str| -> Option<Score> {
        let scores = cells.iter().flat_map(|row| &row.scores);
        let own = scores.filter(|s| s.metric == name && s.value.is_finite());
        mean(&own.collect::<Vec<_>>())
    };
    let scores = names.into_iter().filter_map(scored).collect();
    let row = Row {
        scores,
        ..cells[0].clone()
    };
    Variant { row, cells }
}

/// The mean of independent scores of one metric; their half intervals add as squares, and there is no interval where
/// one of them has none.
pub fn mean(scores: &[&Score]) -> Option<Score> {
    let (first, others) = scores.split_first()?;
    if others.is_empty() {
        return Some((*first).clone());
    }
    let n = scores.len() as f64;
    let value = scores.iter().map(|s| s.value).sum::<f64>() / n;
    let side = |pick: fn(&Score) -> f64| {
        let squares = scores.iter().map(|s| (pick(s) - s.value).powi(2));
        squares.sum::<f64>().sqrt() / n
    };
    Some(Score {
        value,
        low: value - side(|s| s.low),
        high: value + side(|s| s.high),
        ..(*first).clone()
    })
}
