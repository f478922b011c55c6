//! How images are drawn: `[sample]`, and `[upsample]`, which makes large images of them.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampler {
    #[default]
    Ddpm,
    Ddim,
}

/// Where the noise of an ancestral step gets its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VarianceRule {
    /// From the net's variance half; an error for a net without one.
    Learned,
    /// Beta of the step.
    FixedLarge,
    /// The variance of q(x_{t-1} | x_t, x0).
    FixedSmall,
}

/// What a net calculates its blocks in. The time and class embeddings, every normalisation, softmax and the last layer
/// stay in f32 (ADM's `use_fp16`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    F32,
    /// f32 whose convolutions a GPU may multiply in TF32.
    Tf32,
    Bf16,
    F16,
}

impl Precision {
    /// As experiment files write it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        }
    }

    pub fn is_f32(&self) -> bool {
        *self == Precision::F32
    }
}

/// Steps kept of the process: a count, or ADM's section list and `ddimN` as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a count such as 250, or text such as \"ddim25\" or \"10,10,20\""
)]
pub enum Steps {
    Count(usize),
    Sections(String),
}

/// The asked labels: a rule, or class names or indices that are cycled through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"balanced\", \"random\", or a list of class names or indices"
)]
pub enum Classes {
    Rule(ClassRule),
    List(Vec<Class>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassRule {
    /// Image i asks for class i mod K.
    Balanced,
    /// Independent and uniform (ADM's).
    Random,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a class name or a class index")]
pub enum Class {
    Index(u32),
    Name(String),
}

/// `[sample]`: how images are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    #[serde(default)]
    pub sampler: Sampler,
    pub steps: Steps,
    /// DDIM's noise, 0 to 1.
    #[serde(default)]
    pub eta: f64,
    /// DDPM's variance; the net's own way when it is not said: learned where the net has it, else `fixed_large`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<VarianceRule>,
    /// Factor on the noise that each step adds (the paper's appendix G); x_T itself is not scaled.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub temperature: f64,
    /// What the net's blocks are calculated in; a guiding classifier's are `guidance.dtype`.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub dtype: Precision,
    /// The net as it was after so many training steps, one of `train.keep`; the last where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_steps: Option<u64>,
    pub count: usize,
    #[serde(default)]
    pub seed: u64,
    #[serde(default = "balanced")]
    pub classes: Classes,
    /// Clamp x0 to [-1, 1] at every step (ADM's `clip_denoised`).
    #[serde(default = "yes")]
    pub clip: bool,
    /// Images at a time; without effect on the images.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Images a stored part; without effect on the images.
    #[serde(default = "part")]
    pub part: usize,
}

/// `[upsample]`: the super-resolution net that makes large images of the samples, and how. It gets the samples as they
/// are stored, 8 bits a channel, with their labels and their seed. Ten keys are those of [`Sample`] again: shared by serde's
/// `flatten`, a mistake in one would be told without its line and without the keys that are allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upsample {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// `none` leaves the samples as they are, so that an axis can hold both.
    pub checkpoint: PathBuf,
    #[serde(default)]
    pub sampler: Sampler,
    pub steps: Steps,
    /// DDIM's noise, 0 to 1.
    #[serde(default)]
    pub eta: f64,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<VarianceRule>,
    /// As in `[sample]`.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub temperature: f64,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub dtype: Precision,
    /// As in `[sample]`.
    #[serde(default = "yes")]
    pub clip: bool,
    /// Images at a time; without effect on the images.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Images a stored part; without effect on the images.
    #[serde(default = "part")]
    pub part: usize,
}

/// `upsample.checkpoint` of a cell whose samples stay as they are.
const NONE: &str = "none";

impl Upsample {
    pub fn is_none(&self) -> bool {
        self.checkpoint == Path::new(NONE)
    }

    /// How the large images are drawn: as many as `base`, from its seed and with its labels.
    pub fn drawn(&self, base: &Sample) -> Sample {
        Sample {
            sampler: self.sampler,
            steps: self.steps.clone(),
            eta: self.eta,
            variance: self.variance,
            temperature: self.temperature,
            dtype: self.dtype,
            trained_steps: None,
            count: base.count,
            seed: base.seed,
            classes: base.classes.clone(),
            clip: self.clip,
            batch: self.batch,
            part: self.part,
        }
    }
}

fn one() -> f64 {
    1.0
}
fn is_one(x: &f64) -> bool {
    *x == 1.0
}
fn yes() -> bool {
    true
}
fn balanced() -> Classes {
    Classes::Rule(ClassRule::Balanced)
}
fn batch() -> usize {
    50
}
fn part() -> usize {
    1000
}
