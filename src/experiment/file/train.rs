//! `[train]`: how weights are made.

use crate::experiment::file::sampling::Precision;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How timesteps are drawn while training (ADM's `schedule_sampler`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleSampler {
    #[default]
    Uniform,
    LossSecondMoment,
}

/// What an image's squared error counts in a denoiser's loss, by its timestep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weighting {
    /// One, as in ADM's L_simple.
    #[default]
    Simple,
    /// As if the net predicted v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0 ("Progressive Distillation for Fast
    /// Sampling of Diffusion Models", section 4): 1 / alpha_bar where the noise is predicted, at most 100. The noise's
    /// own error hardly shows how far off the image's mean colour is, and the less the more pixels there are.
    Velocity,
}

impl Weighting {
    fn is_simple(&self) -> bool {
        *self == Weighting::Simple
    }
}

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anneal {
    #[default]
    None,
    Linear,
    Cosine,
}

/// `[train]`: makes the weights of `[model]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// `shapes`, or the path of an image folder, tar, zip, npz or npy.
    pub data: String,
    pub steps: u64,
    pub batch: usize,
    pub learning_rate: f64,
    #[serde(default)]
    pub weight_decay: f64,
    #[serde(default)]
    pub warmup: u64,
    #[serde(default)]
    pub anneal: Anneal,
    #[serde(default = "ema")]
    pub ema: f64,
    #[serde(default)]
    pub dropout: f64,
    /// f32, or tf32.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub dtype: Precision,
    #[serde(default)]
    pub schedule_sampler: ScheduleSampler,
    #[serde(default, skip_serializing_if = "Weighting::is_simple")]
    pub weighting: Weighting,
    /// Classifiers: diffuse the images first (ADM's `noised`).
    #[serde(default = "yes")]
    pub noised: bool,
    /// Mirror half of the images.
    #[serde(default)]
    pub flip: bool,
    #[serde(default)]
    pub random_crop: bool,
    #[serde(default)]
    pub seed: u64,
    /// Steps between resumable checkpoints and validation lines; without effect on the weights.
    #[serde(default = "every")]
    pub checkpoint_every: u64,
    /// Steps after which the EMA weights are kept for good, beside the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<u64>,
    /// A checkpoint whose blocks the net starts from wherever they fit: the same net, or one of fewer levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<PathBuf>,
    /// Where the final EMA weights are copied, as f16, when training is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<PathBuf>,
}

fn ema() -> f64 {
    0.9999
}
fn yes() -> bool {
    true
}
fn every() -> u64 {
    1000
}
