//! How images are drawn: `[sample]`, and `[upsample]`, which makes large images of them.

use crate::experiment::check::ranges::{Range, not_empty};
use crate::experiment::file::drawing::samplers::{Sampler, Spacing};
use crate::experiment::file::drawing::steps::Steps;
use crate::experiment::schema::texts;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the noise of an ancestral step gets its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum VarianceRule {
    /// The net's own; refused for a net that has none.
    Learned,
    /// The beta of the step.
    FixedLarge,
    /// The variance of q(x_{t-1} | x_t, x_0).
    FixedSmall,
}

/// What a net calculates its blocks in. The time and class embeddings, every normalisation, softmax and the last layer
/// stay in f32 (ADM's `use_fp16`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// f32 whose convolutions a GPU may multiply in TF32; on a CPU the same as f32.
    Tf32,
    /// bfloat16.
    Bf16,
    /// IEEE halves, as ADM's `use_fp16`.
    F16,
}

/// What nets are trained in. IEEE halves lose small gradients unless losses are scaled.
pub const TRAINED_IN: [Precision; 3] = [Precision::F32, Precision::Tf32, Precision::Bf16];

/// Leaves the precisions that nets are trained in.
pub(in crate::experiment::file) fn trained_in(schema: &mut Schema) {
    let known = schema
        .get_mut("oneOf")
        .and_then(|forms| forms.as_array_mut());
    let trained = |form: &serde_json::Value| {
        let name = form.get("const").and_then(|name| name.as_str());
        TRAINED_IN
            .iter()
            .any(|precision| Some(precision.name()) == name)
    };
    if let Some(known) = known {
        known.retain(trained);
    }
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

/// The asked labels: a rule, or class names or indices that are cycled through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected \"balanced\", \"random\", or a list of class names or indices"
)]
#[schemars(inline)]
pub enum Classes {
    Rule(ClassRule),
    /// These, over and over.
    #[schemars(transform = not_empty)]
    List(Vec<Class>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ClassRule {
    /// Image i asks for class i mod K, of K classes.
    Balanced,
    /// Each image asks for any class, as guided-diffusion does.
    Random,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a class name or a class index")]
#[schemars(inline)]
pub enum Class {
    Index(u32),
    Name(String),
}

/// Before a count: the timesteps that [`Spacing::Trailing`] keeps.
pub const TRAILING: &str = "trailing";

/// How the net draws images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// How a step is made.
    #[serde(default)]
    #[schemars(example = &"ddim")]
    pub sampler: Sampler,
    /// How many timesteps are kept of those that the net was trained on, and which: a count, ADM's `"ddim25"`, or ADM's
    /// sections such as `"90,60,60,20,20"`.
    #[schemars(example = 250, example = &"ddim25", example = &"90,60,60,20,20")]
    pub steps: Steps,
    /// DDIM's noise: 0 adds none, 1 adds as much as DDPM.
    #[serde(default)]
    #[schemars(transform = Range::ZeroToOne, example = 0.5)]
    pub eta: f64,
    /// The variance of a DDPM step. Left out, it is the net's own where it has one, else `fixed_large`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"fixed_small")]
    pub variance: Option<VarianceRule>,
    /// Factor on the noise that each step adds (ADM's appendix G). The noise that the image starts from is not scaled.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(transform = Range::FromZero, extend("default" = one()), example = 0.98)]
    pub temperature: f64,
    /// What the net's blocks are calculated in; embeddings, normalisations, softmax and the last layer stay in f32. A guiding
    /// classifier has `guidance.dtype`.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    #[schemars(extend("default" = Precision::default()), example = &"f16")]
    pub dtype: Precision,
    /// Draws with the net as it was after so many training steps: one of `train.keep`, or `train.steps`. Left out, it is the
    /// net at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 600)]
    pub trained_steps: Option<u64>,
    /// Draws with this moving average of the weights, one of `train.ema`. Left out, it is the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::ZeroToBelowOne, example = 0.9999)]
    pub ema: Option<f64>,
    /// Draws with the power-function average of this sigma_rel, made of the snapshots of `[train.power_ema]` (post-hoc EMA,
    /// arXiv:2312.02696). `trained_steps` may then be any step that has a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::AboveZero, example = 0.075)]
    pub ema_length: Option<f64>,
    /// How many images each cell has.
    #[schemars(transform = Range::FromOne, example = 50_000)]
    pub count: usize,
    /// Seed of the noise. Image i of a seed is the same whatever the batch, the part or the number of images.
    #[serde(default)]
    #[schemars(example = 1)]
    pub seed: u64,
    /// The classes that are asked for: a rule, or names and indices that are gone through over and over. ImageNet's nets know
    /// names, WNIDs and numbers, other nets their own names.
    #[serde(default = "balanced")]
    #[schemars(example = &"random", example = ["Chihuahua", "n02085620", "151"])]
    pub classes: Classes,
    /// Whether the predicted clean image is clamped to [-1, 1] at every step.
    #[serde(default = "yes")]
    #[schemars(example = false)]
    pub clip: bool,
    /// What is done with a predicted clean image instead of `clip`: it is cut at this quantile of its absolute values, at
    /// least 1, and divided by it (dynamic thresholding, arXiv:2205.11487).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::ZeroToOne, example = 0.995)]
    pub threshold: Option<f64>,
    /// How the steps are spread, where they are a number. Left out, `"linspace"` for `ddpm` and `ddim`, `"edm"` for `heun`
    /// and `euler`, and `"time"` for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"log-snr")]
    pub spacing: Option<Spacing>,
    /// The order of `uni_pc` and `uni_pc_bh2`. Left out, 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::OneToThree, example = 3)]
    pub order: Option<usize>,
    /// The noise that `heun` and `euler` add before a step and remove again (EDM's S_churn, arXiv:2206.00364, algorithm 2).
    /// `temperature` is its S_noise.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(transform = Range::FromZero, extend("default" = 0.0), example = 40.0)]
    pub churn: f64,
    /// The smallest and the largest sigma at which `churn` adds noise (EDM's S_tmin and S_tmax). Left out, every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = [0.05, 50.0])]
    pub churn_sigmas: Option<[f64; 2]>,
    /// Images that are drawn at a time. Without effect on the images; less needs less memory.
    #[serde(default = "batch")]
    #[schemars(transform = Range::FromOne, example = 16)]
    pub batch: usize,
    /// Images of one stored part, after which a killed run goes on. Without effect on the images.
    #[serde(default = "part")]
    #[schemars(transform = Range::FromOne, example = 250)]
    pub part: usize,
}

impl Sample {
    /// `count` images by `sampler` in `steps`, and everything else as where a file is silent.
    pub fn plain(sampler: Sampler, steps: Steps, count: usize) -> Sample {
        Sample {
            sampler,
            steps,
            eta: 0.0,
            variance: None,
            temperature: one(),
            dtype: Precision::F32,
            trained_steps: None,
            ema: None,
            ema_length: None,
            count,
            seed: 0,
            classes: balanced(),
            clip: yes(),
            threshold: None,
            spacing: None,
            order: None,
            churn: 0.0,
            churn_sigmas: None,
            batch: batch(),
            part: part(),
        }
    }

    /// The timesteps that are kept for samplers that stand on them, as [`space_timesteps`] reads them.
    ///
    /// [`space_timesteps`]: crate::diffusion::process::respace::space_timesteps
    pub fn kept(&self) -> String {
        match self.steps.number() {
            Some(count) if self.spacing == Some(Spacing::Trailing) => {
                format!("{TRAILING}{count}")
            }
            _ => self.steps.to_string(),
        }
    }

    /// Times that the denoising net is asked for one image without guidance; none where `steps` is no list of steps.
    pub fn evaluations(&self) -> Option<usize> {
        self.steps.count().map(|n| self.sampler.evaluations(n))
    }
}

/// A super-resolution net that makes large images of the samples. It gets them as they are stored, 8 bits a channel, with
/// their labels and their seed.
// Ten keys are those of `Sample` again: shared by serde's `flatten`, a mistake in one would be told without its line and
// without the keys that are allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upsample {
    /// The architecture by its name. A checkpoint that was written by `runner` needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = texts::upsampler_preset, example = &"imagenet64-to-256")]
    pub preset: Option<String>,
    /// The file of the net's weights, or `fetch:NAME`; `none` leaves the samples as they are, so that an axis can hold both.
    #[schemars(transform = texts::path_or_fetched, example = &"fetch:imagenet64-to-256", example = &"none")]
    pub checkpoint: PathBuf,
    /// As in `[sample]`.
    #[serde(default)]
    #[schemars(example = &"ddim")]
    pub sampler: Sampler,
    /// As in `[sample]`, of the timesteps that this net was trained on.
    #[schemars(example = 250)]
    pub steps: Steps,
    /// As in `[sample]`.
    #[serde(default)]
    #[schemars(transform = Range::ZeroToOne, example = 0.5)]
    pub eta: f64,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"fixed_small")]
    pub variance: Option<VarianceRule>,
    /// As in `[sample]`.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(transform = Range::FromZero, extend("default" = one()), example = 0.98)]
    pub temperature: f64,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    #[schemars(extend("default" = Precision::default()), example = &"f16")]
    pub dtype: Precision,
    /// As in `[sample]`.
    #[serde(default = "yes")]
    #[schemars(example = false)]
    pub clip: bool,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::ZeroToOne, example = 0.995)]
    pub threshold: Option<f64>,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"log-snr")]
    pub spacing: Option<Spacing>,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::OneToThree, example = 3)]
    pub order: Option<usize>,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(transform = Range::FromZero, extend("default" = 0.0), example = 40.0)]
    pub churn: f64,
    /// As in `[sample]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = [0.05, 50.0])]
    pub churn_sigmas: Option<[f64; 2]>,
    /// Images that are made at a time. Without effect on the images; less needs less memory.
    #[serde(default = "batch")]
    #[schemars(transform = Range::FromOne, example = 16)]
    pub batch: usize,
    /// Images of one stored part, after which a killed run goes on. Without effect on the images.
    #[serde(default = "part")]
    #[schemars(transform = Range::FromOne, example = 250)]
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
            ema: None,
            ema_length: None,
            count: base.count,
            seed: base.seed,
            classes: base.classes.clone(),
            clip: self.clip,
            threshold: self.threshold,
            spacing: self.spacing,
            order: self.order,
            churn: self.churn,
            churn_sigmas: self.churn_sigmas,
            batch: self.batch,
            part: self.part,
        }
    }
}

fn one() -> f64 {
    1.0
}
fn is_zero(x: &f64) -> bool {
    *x == 0.0
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
