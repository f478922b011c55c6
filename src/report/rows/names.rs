//! Metrics as people read them: labels, good ends, decimals, and what they count. Every question that a report asks
//! about a metric's name is answered here.

use crate::experiment::scoring::feature_space;
use crate::experiment::scoring::metric::{Kind, Metric};
use crate::run::results::{Row, Score};

pub use crate::experiment::scoring::metric::Better;

/// What the count of a score counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Images,
    ReferenceImages,
}

/// The metrics whose change along the swept axis is told in sentences, in that order.
pub const TRENDS: [Metric; 3] = [Metric::Agreement, Metric::Recall, Metric::Precision];

/// The good end; none for a metric that is only told, such as a baseline.
pub fn better(metric: &str) -> Option<Better> {
    Metric::of_id(metric)?.better()
}

/// `fd` in the world `shapes` → `FD (shapes)`; what is no metric's id, as it stands.
pub fn label(metric: &str, world: &str) -> String {
    let known = Metric::of_id(metric);
    known.map_or_else(
        || metric.replace('_', " "),
        |metric| feature_space::label(metric, world),
    )
}

/// Whether a metric is the Fréchet distance of pooled features, by which cells are ranked first.
pub fn ranks(metric: &str) -> bool {
    Metric::FRECHET.iter().any(|frechet| frechet.id() == metric)
}

/// Whether a metric cannot leave 0 to 1, so that no chart's axis needs to.
pub fn is_share(metric: &str) -> bool {
    Metric::of_id(metric).is_some_and(|metric| metric.row().kind == Kind::Share)
}

/// Whether a score is that of a baseline, which is measured on images of its own.
pub fn is_baseline(metric: &str) -> bool {
    Metric::of_id(metric) == Some(Metric::GaussianFd)
}

/// What a metric's count counts. Recall is the share of the reference's images that lie among the generated ones
/// (Kynkäänniemi et al. 2019, arXiv 1904.06991, equation 2).
pub fn counted(metric: &str) -> Counted {
    if Metric::of_id(metric) == Some(Metric::Recall) {
        Counted::ReferenceImages
    } else {
        Counted::Images
    }
}

/// The row's Fréchet distance and that of images drawn from a Gaussian fitted to the reference's pixels.
pub fn beside_baseline(row: &Row) -> Option<(&Score, &Score)> {
    let of = |metric: Metric| score(row, metric.id());
    Some((of(Metric::Fd)?, of(Metric::GaussianFd)?))
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
