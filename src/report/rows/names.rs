//! What axes, metrics and values are called where people read them.

use crate::experiment::grid::axes::called;
use crate::experiment::scoring::feature_space::label;
use crate::experiment::scoring::metric::Metric;
use crate::run::results::{Row, Score};

pub use crate::experiment::scoring::metric::Better;

/// The good end; none for a metric that is only told, such as a baseline.
pub fn better(metric: &str) -> Option<Better> {
    Metric::of_id(metric)?.better()
}

/// `fd` in the world `shapes` → `FD (shapes)`. FID and sFID are said of Inception features only.
pub fn metric(metric: &str, world: &str) -> String {
    Metric::of_id(metric).map_or_else(|| metric.replace('_', " "), |metric| label(metric, world))
}

/// The metric's name inside a sentence or a file name: `fd`, `class-agreement`.
pub fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_matches('-').to_string()
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
pub fn axis_title(key: &str) -> String {
    match key {
        "model.resolution" => "resolution (pixels a side)".into(),
        "sample.steps" => "sampling steps".into(),
        "sample.eta" => "eta (DDIM noise)".into(),
        "sample.count" => "images".into(),
        "sample.seed" => "seed".into(),
        "sample.trained_steps" => "training steps".into(),
        "upsample.checkpoint" => "upsample".into(),
        "upsample.steps" => "upsampling steps".into(),
        other => other.replace(['.', '_'], " "),
    }
}

/// Endings of files that hold weights or statistics: they say nothing that tells cells apart.
const ENDINGS: [&str; 4] = [".safetensors", ".npz", ".pth", ".pt"];

/// A value of an axis as people write it: `0.5`, `16`, `ddim`; a path by its file name, without an ending of `ENDINGS`.
pub fn value(value: &toml::Value) -> String {
    match value {
        toml::Value::String(s) => match s.rsplit_once('/') {
            Some((_, name)) if !name.is_empty() => {
                let stem = ENDINGS.iter().find_map(|end| name.strip_suffix(end));
                stem.filter(|s| !s.is_empty()).unwrap_or(name).to_string()
            }
            _ => s.clone(),
        },
        toml::Value::Float(f) => f.to_string(),
        other => other.to_string(),
    }
}

/// The value as a number, where it is one.
pub fn number(value: &toml::Value) -> Option<f64> {
    match value {
        toml::Value::Integer(i) => Some(*i as f64),
        toml::Value::Float(f) if f.is_finite() => Some(*f),
        _ => None,
    }
}

/// Every metric of the rows, in the order in which it first appears.
pub fn metrics(rows: &[Row]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for score in rows.iter().flat_map(|r| &r.scores) {
        if !names.contains(&score.metric) {
            names.push(score.metric.clone());
        }
    }
    names
}

/// The row's finite score of a metric.
pub fn score<'a>(row: &'a Row, metric: &str) -> Option<&'a Score> {
    row.scores
        .iter()
        .find(|s| s.metric == metric && s.value.is_finite())
}

/// The row's value of an axis, by its full key.
pub fn at<'a>(row: &'a Row, key: &str) -> Option<&'a toml::Value> {
    row.at.iter().find(|(k, _)| k == key).map(|(_, v)| v)
}

/// Whether a metric is told beside others and has no column of its own.
pub fn is_baseline(metric: &str) -> bool {
    Metric::of_id(metric) == Some(Metric::GaussianFd)
}

/// The metric's decimals, or as many as give the smallest value of a column three digits.
pub fn decimals(metric: &str, values: impl Iterator<Item = f64>) -> usize {
    if let Some(decimals) = Metric::of_id(metric).and_then(|metric| metric.row().decimals) {
        return decimals;
    }
    let least = values
        .map(f64::abs)
        .filter(|v| v.is_finite() && *v > 0.0)
        .fold(f64::INFINITY, f64::min);
    if !least.is_finite() {
        return 2;
    }
    (2 - least.log10().floor() as i64).clamp(1, 4) as usize
}

/// `50000` → `50,000`.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn thousands_are_parted() {
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_281_167), "1,281,167");
    }
}
