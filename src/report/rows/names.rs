//! Metrics as people read them: labels, good ends, decimals, and what they count. Every question that a report asks
//! about a metric's name is answered here.

use crate::run::results::{Row, Score};

/// Which end of a metric is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

/// What the count of a score counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Images,
    ReferenceImages,
}

/// The metrics whose change along the swept axis is told in sentences, in that order.
pub const TRENDS: [&str; 3] = ["agreement", "recall", "precision"];

/// The good end; none for a metric that is only told, such as a baseline.
pub fn better(metric: &str) -> Option<Better> {
    match metric {
        "fd" | "sfd" | "fid" | "sfid" | "fid-infinity" | "kid" => Some(Better::Lower),
        "is" | "precision" | "recall" | "f-score" | "agreement" => Some(Better::Higher),
        "density" | "coverage" => Some(Better::Higher),
        _ => None,
    }
}

/// `fd` in the world `shapes` → `FD (shapes)`. FID and sFID are said of Inception features only.
pub fn label(metric: &str, world: &str) -> String {
    let inception = world == "inception";
    match metric {
        "fid" | "fd" if inception => "FID".into(),
        "sfid" | "sfd" if inception => "sFID".into(),
        "is" if inception => "IS".into(),
        "is-std" if inception => "IS std".into(),
        "fid-infinity" if inception => "FID∞".into(),
        "kid" if inception => "KID".into(),
        "kid-std" if inception => "KID std".into(),
        "fd" | "fid" => format!("FD ({world})"),
        "sfd" | "sfid" => format!("sFD ({world})"),
        "is" => format!("IS ({world})"),
        "gaussian_fd" => format!("FD of the Gaussian baseline ({world})"),
        "agreement" => "class agreement".into(),
        "training-seconds" => "training seconds".into(),
        other => other.replace('_', " "),
    }
}

/// The decimals of a share or a kernel distance; none for a metric whose values decide.
fn fixed_decimals(metric: &str) -> Option<usize> {
    match metric {
        "precision" | "recall" | "f-score" | "density" | "coverage" | "agreement" => Some(3),
        "kid" | "kid-std" => Some(5),
        _ => None,
    }
}

/// Whether a metric is the Fréchet distance of pooled features, by which cells are ranked first.
pub fn ranks(metric: &str) -> bool {
    matches!(metric, "fd" | "fid")
}

/// Whether a metric cannot leave 0 to 1, so that no chart's axis needs to.
pub fn is_share(metric: &str) -> bool {
    matches!(metric, "precision" | "recall" | "agreement")
}

/// Whether a score is that of a baseline, which is measured on images of its own.
pub fn is_baseline(metric: &str) -> bool {
    metric.starts_with("gaussian")
}

/// What a metric's count counts. Recall is the share of the reference's images that lie among the generated ones
/// (Kynkäänniemi et al. 2019, arXiv 1904.06991, equation 2).
pub fn counted(metric: &str) -> Counted {
    match metric {
        "recall" => Counted::ReferenceImages,
        _ => Counted::Images,
    }
}

/// The row's Fréchet distance and that of images drawn from a Gaussian fitted to the reference's pixels.
pub fn beside_baseline(row: &Row) -> Option<(&Score, &Score)> {
    Some((score(row, "fd")?, score(row, "gaussian_fd")?))
}

/// The text in lower case with hyphens, for file names and LaTeX labels: `fd-vs-scale`.
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

/// Decimals that give the smallest value of a column three digits; shares always have three.
pub fn decimals(metric: &str, values: impl Iterator<Item = f64>) -> usize {
    if let Some(fixed) = fixed_decimals(metric) {
        return fixed;
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
