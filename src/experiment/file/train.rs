//! `[train]`: how weights are made.

use crate::experiment::check::ranges::{Each, Range};
use crate::experiment::file::drawing::sampling::{Precision, Sample, trained_in};
use crate::experiment::file::training::distill::Distill;
use crate::experiment::file::training::labels::Labels;
use crate::experiment::schema::texts::{not_blank, path_or_fetched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How timesteps are drawn while training (ADM's `schedule_sampler`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ScheduleSampler {
    /// Each timestep as often as any other.
    #[default]
    Uniform,
    /// Timesteps of a larger loss more often, by its second moment.
    LossSecondMoment,
}

/// What an image's squared error counts in a denoiser's loss, by its timestep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Weighting {
    /// One for all, as in ADM's L_simple.
    #[default]
    Simple,
    /// 1 / alpha_bar where the noise is predicted, at most 100: as if the net predicted v ("Progressive Distillation for Fast
    /// Sampling of Diffusion Models", section 4). It minds the mean colour of fine grids.
    // v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0. The noise's own error hardly shows how far off the image's mean
    // colour is, and the less the more pixels there are.
    Velocity,
}

impl Weighting {
    fn is_simple(&self) -> bool {
        *self == Weighting::Simple
    }
}

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Anneal {
    /// Not at all.
    #[default]
    None,
    /// In a straight line to 0 at the last step.
    Linear,
    /// Along half a cosine to 0 at the last step.
    Cosine,
}

/// Makes the weights of `[model]`, or, below `[guidance]`, those of the classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// What the net is trained on: `shapes`, the built-in world, or the path of an image folder, tar, zip, npz or npy.
    #[schemars(transform = not_blank, example = &"shapes", example = &"data/imagenet64.tar")]
    pub data: String,
    /// Steps of the optimizer; with `[train.distill]`, of each of its rounds.
    #[schemars(transform = Range::FromOne, example = 20_000)]
    pub steps: u64,
    /// Images of one step.
    #[schemars(transform = Range::FromOne, example = 64)]
    pub batch: usize,
    /// AdamW's learning rate after the warm-up.
    #[schemars(transform = Range::AboveZero, example = 1e-4)]
    pub learning_rate: f64,
    /// AdamW's weight decay.
    #[serde(default)]
    #[schemars(transform = Range::FromZero, example = 0.05)]
    pub weight_decay: f64,
    /// Steps over which the learning rate rises from 0.
    #[serde(default)]
    #[schemars(example = 500)]
    pub warmup: u64,
    /// How the learning rate falls after the warm-up.
    #[serde(default)]
    #[schemars(example = &"cosine")]
    pub anneal: Anneal,
    /// Decay of the moving average of the weights, for each step. Samples are drawn from the average.
    #[serde(default = "ema")]
    #[schemars(transform = Range::ZeroToBelowOne, example = 0.999)]
    pub ema: f64,
    /// Share of activations that each residual block drops.
    #[serde(default)]
    #[schemars(transform = Range::ZeroToBelowOne, example = 0.1)]
    pub dropout: f64,
    /// Share of the images whose class is dropped, so that the net learns to do without: what classifier-free guidance
    /// needs. Denoisers with classes only.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(transform = Range::ZeroToBelowOne, extend("default" = 0.0), example = 0.1)]
    pub label_dropout: f64,
    /// Labels in the place of the data's own: `clusters:K`, the K clusters (k-means) of the images' features, for data
    /// without classes. The net needs K classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"clusters:10")]
    pub labels: Option<Labels>,
    /// The feature net whose features are clustered, for `labels = "clusters:K"`: Inception's weights, or a feature net of
    /// `runner`; a path or `fetch:NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = path_or_fetched, example = &"fetch:inception")]
    pub label_features: Option<PathBuf>,
    /// What the net is calculated in while it is trained.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    #[schemars(transform = trained_in, extend("default" = Precision::default()), example = &"tf32")]
    pub dtype: Precision,
    /// How the timesteps of a denoiser's batches are drawn.
    #[serde(default)]
    #[schemars(example = &"loss-second-moment")]
    pub schedule_sampler: ScheduleSampler,
    /// What an image's squared error counts in a denoiser's loss, by its timestep.
    #[serde(default, skip_serializing_if = "Weighting::is_simple")]
    #[schemars(extend("default" = Weighting::default()), example = &"velocity")]
    pub weighting: Weighting,
    /// Classifiers: whether the images get a timestep's noise first, as guidance needs it.
    #[serde(default = "yes")]
    #[schemars(example = false)]
    pub noised: bool,
    /// Whether half of the images, drawn at random, are mirrored.
    #[serde(default)]
    #[schemars(example = true)]
    pub flip: bool,
    /// Whether images are cropped at random instead of in their middle.
    #[serde(default)]
    #[schemars(example = true)]
    pub random_crop: bool,
    /// Seed of the first weights, the order of the images, the noise and all else that is drawn.
    #[serde(default)]
    #[schemars(example = 1)]
    pub seed: u64,
    /// Steps between checkpoints, from which a killed training goes on. Without effect on the weights.
    #[serde(default = "every")]
    #[schemars(transform = Range::FromOne, example = 5000)]
    pub checkpoint_every: u64,
    /// Steps after which the averaged weights are kept for good, beside those at the end; `sample.trained_steps` draws with
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = Each(Range::FromOne), extend("default" = Vec::<u64>::new()), example = [600, 1200])]
    pub keep: Vec<u64>,
    /// A checkpoint whose blocks the net starts with wherever they fit: the same net, or one of fewer levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"experiments/shapes/unet16.safetensors")]
    pub start_from: Option<PathBuf>,
    /// Where the averaged weights are copied, as f16, when the training is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"unet.safetensors")]
    pub export: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distill: Option<Distill>,
}

impl Train {
    /// Updates of the whole training: `steps`, or those of all rounds of a distillation.
    pub fn updates(&self) -> u64 {
        match &self.distill {
            Some(distill) => (distill.rounds(self.steps).last()).map_or(0, |round| round.until),
            None => self.steps,
        }
    }

    /// The updates after which the net that `sample` draws with was kept: the asked ones, or those of the student that
    /// draws in its steps; none where the net at the end draws, or no student draws in so many.
    pub fn drawn_after(&self, sample: &Sample) -> Option<u64> {
        let Some(distill) = self
            .distill
            .as_ref()
            .filter(|_| sample.trained_steps.is_none())
        else {
            return sample.trained_steps;
        };
        let steps = sample.steps.number()?;
        let mut rounds = distill.rounds(self.steps).into_iter();
        Some(rounds.find(|round| round.student == Some(steps))?.until)
    }
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
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
