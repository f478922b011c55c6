//! `[eval]`: what is scored, on whose features, against what.

use crate::experiment::check::ranges::not_empty;
use crate::experiment::schema::texts::path_or_fetched;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::preset::Preset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is scored, on whose features, against what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eval {
    /// Whose features are compared: `inception`, or the name of the world that a feature net of your own belongs to, such
    /// as `shapes`. Its distances are then called by it: `FD (shapes)`.
    #[schemars(example = &"inception", example = &"shapes")]
    pub features: String,
    /// The file of the feature net's weights, or `fetch:NAME`.
    #[schemars(transform = path_or_fetched, example = &"fetch:inception")]
    pub weights: PathBuf,
    /// What the samples are compared with: the statistics of an evaluator (npz, pkl, pt), images (a folder, tar, zip, npz or
    /// npy), or `fetch:NAME`.
    #[schemars(transform = path_or_fetched, example = &"fetch:imagenet64-reference", example = &"reference_stats/shapes16.npz")]
    pub reference: PathBuf,
    /// Whose rules hold, for Inception's features: the published evaluator whose numbers are wanted.
    #[serde(default, skip_serializing_if = "Preset::is_default")]
    #[schemars(extend("default" = Preset::default()), example = &"torch-fidelity")]
    pub preset: Preset,
    /// What is measured. Which metrics there are depends on the features and, for Inception's, on the preset.
    #[schemars(transform = not_empty, example = ["fid", "is", "precision", "recall"])]
    pub metrics: Vec<Metric>,
}
