//! `[eval]`: what is scored, on whose features, against what.

use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::preset::Preset;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[eval]`: features and scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eval {
    /// The world the feature net belongs to: `shapes`, or `inception`. Names the metric: `FD (shapes)`.
    pub features: String,
    /// The feature net's checkpoint.
    pub weights: PathBuf,
    pub reference: PathBuf,
    /// Whose rules, for Inception's features: an evaluator by name.
    #[serde(default, skip_serializing_if = "Preset::is_default")]
    pub preset: Preset,
    pub metrics: Vec<Metric>,
}
