//! `[train]`: how weights are made.

use crate::experiment::check::ranges::{Each, Range, not_empty};
use crate::experiment::file::drawing::sampling::{Precision, Sample, trained_in};
use crate::experiment::file::training::distill::Distill;
use crate::experiment::file::training::labels::Labels;
use crate::experiment::schema::texts::{not_blank, path_or_fetched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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

/// The decay of a moving average of the weights, or several, each of which is tracked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a decay such as 0.999, or a list of them such as [0.999, 0.9999]"
)]
#[schemars(inline)]
pub enum Decays {
    #[schemars(transform = Range::ZeroToBelowOne)]
    One(f64),
    /// The first is the one that draws where nothing else is asked for.
    #[schemars(transform = not_empty, transform = Each(Range::ZeroToBelowOne))]
    Several(Vec<f64>),
}

impl Decays {
    /// In the order of the file; at least one where it was checked.
    pub fn all(&self) -> &[f64] {
        match self {
            Decays::One(decay) => std::slice::from_ref(decay),
            Decays::Several(decays) => decays,
        }
    }

    /// The average that draws where nothing else is asked for.
    pub fn first(&self) -> f64 {
        self.all().first().copied().unwrap_or_else(decay)
    }

    /// The same, a list of one as that one.
    pub fn plain(&self) -> Decays {
        match self.all() {
            [decay] => Decays::One(*decay),
            _ => self.clone(),
        }
    }
}

/// Averages of the weights by a power function of the training step, whose width is a share of all steps so far
/// (arXiv:2312.02696, section 3.1). Snapshots of them are kept; `sample.ema_length` makes the average of any width from
/// those.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerEma {
    /// The widths that are tracked: sigma_rel, the standard deviation of an average's weight over the training step, as a
    /// share of the last step; at most 0.2887, where all steps count alike.
    #[serde(default = "widths")]
    #[schemars(transform = not_empty, transform = Each(Range::AboveZero), example = [0.05, 0.10])]
    pub sigma_rel: Vec<f64>,
    /// Steps between two snapshots. There is one at the end and one at each step of `train.keep`, too. Each is a file of the
    /// size of the net, for each width.
    #[schemars(transform = Range::FromOne, example = 1000)]
    pub every: u64,
}

/// The largest sigma_rel: that of the plain mean of all steps, 12^(-1/2).
pub const WIDEST: f64 = 0.288_675_134_594_812_9;

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
    /// Images that go through the net at once; the gradients of a batch are added up before its step. Less memory, with the
    /// same draws and masks; the last bits of the weights differ. Left out, the whole batch does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 16)]
    pub microbatch: Option<usize>,
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
    /// Decay of the moving average of the weights, for each step. Samples are drawn from the average. A list tracks
    /// several in one training; the first draws, or the one that `sample.ema` names.
    #[serde(default = "ema")]
    #[schemars(example = 0.999, example = [0.999, 0.9999])]
    pub ema: Decays,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_ema: Option<PowerEma>,
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
    /// What the net is calculated in while it is trained. With `bf16`, the blocks of a net of ADM's family are, with their
    /// gradients; the weights that are trained, their averages, AdamW's moments, embeddings, normalisations, the last layer
    /// and the loss stay in f32.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    #[schemars(transform = trained_in, extend("default" = Precision::default()), example = &"bf16")]
    pub dtype: Precision,
    /// Whether the tensors inside residual and attention blocks are calculated again for the gradients instead of being kept:
    /// less memory, more time. The last bits of the weights may differ. Nets of ADM's family only.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(extend("default" = false), example = true)]
    pub gradient_checkpointing: bool,
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

    /// Whether the power-function averages are kept as they are after `step`.
    pub fn has_snapshot(&self, step: u64) -> bool {
        self.power_ema.as_ref().is_some_and(|power| {
            step.is_multiple_of(power.every) || step == self.steps || self.keep.contains(&step)
        })
    }

    /// The steps up to `last` with snapshots, rising.
    pub fn snapshots(&self, last: u64) -> Vec<u64> {
        let Some(power) = &self.power_ema else {
            return Vec::new();
        };
        let regular = (1..=last / power.every.max(1)).map(|n| n * power.every);
        let more = self.keep.iter().copied().chain([self.steps]);
        let steps: BTreeSet<u64> = regular.chain(more.filter(|step| *step <= last)).collect();
        steps.into_iter().collect()
    }

    /// Files of weights that stay, each of the size of the net.
    pub fn files(&self) -> u64 {
        let widths = self.power_ema.as_ref().map_or(0, |p| p.sigma_rel.len());
        let snapshots = widths * self.snapshots(self.steps).len();
        let kept = match &self.distill {
            Some(distill) => distill.rounds(self.steps).len(),
            None => 1 + self.keep.len(),
        };
        (self.ema.all().len() * kept + snapshots) as u64
    }

    /// The averages in words, where there is more than one: `EMA 0.999, 0.9999`.
    pub fn averages(&self) -> Option<String> {
        let (decays, power) = (self.ema.all(), &self.power_ema);
        if decays.len() == 1 && power.is_none() {
            return None;
        }
        let listed = |numbers: &[f64]| {
            let numbers = numbers.iter().map(f64::to_string);
            numbers.collect::<Vec<_>>().join(", ")
        };
        let power = power.as_ref().map(|power| {
            format!(
                "; power-function averages of sigma_rel {}, {} snapshots each",
                listed(&power.sigma_rel),
                self.snapshots(self.steps).len()
            )
        });
        Some(format!(
            "EMA {}{}",
            listed(decays),
            power.unwrap_or_default()
        ))
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}
fn ema() -> Decays {
    Decays::One(decay())
}
fn decay() -> f64 {
    0.9999
}
fn widths() -> Vec<f64> {
    vec![0.05, 0.10]
}
fn yes() -> bool {
    true
}
fn every() -> u64 {
    1000
}
