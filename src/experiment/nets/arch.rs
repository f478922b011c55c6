//! Architectures as data: every option of the ADM nets ("Diffusion Models Beat GANs on Image Synthesis", arXiv:2105.05233, and
//! its release).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the `3C` rows of `qkv` are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum QkvOrder {
    /// Query, key and value of each head together, as guided-diffusion does by default.
    #[default]
    Legacy,
    /// The queries of all heads, then the keys, then the values.
    New,
}

/// The head of the noisy classifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Pool {
    /// The mean over the last grid.
    Adaptive,
    /// An attention block over the last grid, as the released classifiers have it.
    #[default]
    Attention,
    /// The means of every block's grid, through a net of two layers.
    Spatial,
    /// The same with a group normalisation in that net.
    SpatialV2,
}

/// The options shared by the UNet and the classifier's encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Pixels a side of the (square) images.
    pub resolution: usize,
    /// Image channels; a super-resolution net's stem takes twice as many.
    pub in_channels: usize,
    /// Base width M; every level is `int(mult * M)` wide.
    pub channels: usize,
    pub res_blocks: usize,
    /// Per-level multiplier of `channels`; may be fractional.
    pub channel_mult: Vec<f64>,
    /// Resolutions, in pixels, whose blocks carry attention (the middle block always does).
    pub attention: Vec<usize>,
    /// Heads of every attention block, unless `channels_per_head` is given.
    pub heads: usize,
    pub channels_per_head: Option<usize>,
    pub qkv_order: QkvOrder,
    /// AdaGN (scale and shift) instead of adding the embedding.
    pub adagn: bool,
    /// BigGAN residual blocks for up and down.
    pub updown: bool,
    /// Learned convolutions in plain up and down; without effect when `updown`.
    pub conv_resample: bool,
    /// Groups of every group normalisation: 32 in the release. With one channel a group the normalisation takes away
    /// every channel's mean, and with it the image's mean colour, which a denoiser must know: give a narrow net fewer.
    #[serde(default = "release_groups")]
    pub norm_groups: usize,
    /// Divide each residual sum by sqrt(2): the paper's "rescale resblock", absent from the release.
    pub rescale_residual: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Groups of the release's nets.
pub fn release_groups() -> usize {
    32
}

/// The ADM UNet; as `Arch::SuperRes`, the same net with a doubled stem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnetArch {
    pub trunk: Trunk,
    /// Heads on the way up when they differ.
    pub heads_up: Option<usize>,
    /// Class-conditional with this many classes.
    pub classes: Option<usize>,
    /// Whether one class more stands for none: the last row of the class embedding, which training with
    /// `label_dropout` fills.
    #[serde(default, skip_serializing_if = "is_false")]
    pub null_class: bool,
    /// Six output channels: the mean part and the variance part.
    pub learn_sigma: bool,
    /// Super-resolution nets: pixels a side of the small image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_resolution: Option<usize>,
}

/// The noisy classifier: the UNet's way down, its middle, and a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierArch {
    pub trunk: Trunk,
    pub classes: usize,
    pub pool: Pool,
}

/// The feature net of worlds that Inception does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureArch {
    /// Every image is resized to this many pixels a side first.
    pub resolution: usize,
    /// Width of the first stage; it doubles at each halving.
    pub channels: usize,
    /// Dimension of the pooled features.
    pub pool: usize,
    /// Channels of the spatial features, on a 4x4 grid.
    pub spatial: usize,
    pub classes: usize,
    /// Scene attributes regressed beside the class while training.
    pub attributes: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    Unet(UnetArch),
    SuperRes(UnetArch),
    Classifier(ClassifierArch),
    Features(FeatureArch),
}

/// What a net is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Noise to images.
    Denoise,
    /// Noise and small images to large ones.
    Upsample,
    /// Noisy images to classes.
    Classify,
    /// Clean images to features.
    Describe,
}

/// What the output channels of a denoiser hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As many as the image has: the noise, or x0.
    Mean,
    /// Twice as many: the same, then the variance.
    MeanAndVariance,
}

impl UnetArch {
    /// The label that stands for no class: the one behind the last.
    pub fn null_label(&self) -> Option<u32> {
        let classes = self.classes.filter(|_| self.null_class)?;
        u32::try_from(classes).ok()
    }

    pub fn answer(&self) -> Answer {
        if self.learn_sigma {
            Answer::MeanAndVariance
        } else {
            Answer::Mean
        }
    }
}

impl Arch {
    pub fn task(&self) -> Task {
        match self {
            Arch::Unet(_) => Task::Denoise,
            Arch::SuperRes(_) => Task::Upsample,
            Arch::Classifier(_) => Task::Classify,
            Arch::Features(_) => Task::Describe,
        }
    }

    /// Pixels a side of the images that the net takes, or that a feature net resizes them to.
    pub fn resolution(&self) -> usize {
        match self {
            Arch::Unet(net) | Arch::SuperRes(net) => net.trunk.resolution,
            Arch::Classifier(net) => net.trunk.resolution,
            Arch::Features(net) => net.resolution,
        }
    }

    /// How many classes the net must be told or tells apart; none for an unconditional denoiser.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Arch::Unet(net) | Arch::SuperRes(net) => net.classes,
            Arch::Classifier(net) => Some(net.classes),
            Arch::Features(net) => Some(net.classes),
        }
    }

    /// None for nets without levels of blocks.
    pub fn trunk(&self) -> Option<&Trunk> {
        match self {
            Arch::Unet(net) | Arch::SuperRes(net) => Some(&net.trunk),
            Arch::Classifier(net) => Some(&net.trunk),
            Arch::Features(_) => None,
        }
    }

    /// Pixels a side of the small images that a super-resolution net enlarges.
    pub fn low_resolution(&self) -> Option<usize> {
        match self {
            Arch::SuperRes(net) => net.low_resolution,
            Arch::Unet(_) | Arch::Classifier(_) | Arch::Features(_) => None,
        }
    }

    /// None for nets that do not denoise.
    pub fn answer(&self) -> Option<Answer> {
        match self {
            Arch::Unet(net) | Arch::SuperRes(net) => Some(net.answer()),
            Arch::Classifier(_) | Arch::Features(_) => None,
        }
    }

    /// What the net is called in messages.
    pub fn title(&self) -> &'static str {
        match self {
            Arch::Unet(_) => "unet",
            Arch::SuperRes(_) => "super-resolution net",
            Arch::Classifier(_) => "classifier",
            Arch::Features(_) => "feature net",
        }
    }
}

/// Noise schedules of the ADM release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum NoiseSchedule {
    /// Beta rises in a straight line, from 0.0001 to 0.02 for 1000 timesteps.
    #[default]
    Linear,
    /// The share of the image that is left falls as a squared cosine (arXiv:2102.09672).
    Cosine,
}

/// What a denoiser answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Prediction {
    /// The noise, as the released nets do.
    #[default]
    Noise,
    /// The clean image.
    X0,
    /// v = sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x0 (arXiv:2202.00512, section 4).
    Velocity,
}

impl Prediction {
    /// As experiment files write it.
    pub fn name(self) -> &'static str {
        match self {
            Prediction::Noise => "noise",
            Prediction::X0 => "x0",
            Prediction::Velocity => "velocity",
        }
    }

    /// What a net predicts, in words.
    pub fn title(self) -> &'static str {
        match self {
            Prediction::Noise => "the noise",
            Prediction::X0 => "the image",
            Prediction::Velocity => "the velocity",
        }
    }

    /// As the key `predict_x0` says it.
    pub fn of_x0(predict_x0: bool) -> Self {
        if predict_x0 {
            Prediction::X0
        } else {
            Prediction::Noise
        }
    }
}

/// The diffusion process that a net was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenProcess", into = "WrittenProcess")]
pub struct Process {
    pub schedule: NoiseSchedule,
    /// T, the number of steps the net was trained on.
    pub timesteps: usize,
    /// The net sees `t * 1000 / T` instead of `t`.
    pub rescale_timesteps: bool,
    pub predict: Prediction,
}

/// A process as cards and keys hold it: `predict` stands there only where `predict_x0`, which is older, cannot say it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProcess {
    schedule: NoiseSchedule,
    timesteps: usize,
    rescale_timesteps: bool,
    predict_x0: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    predict: Option<Prediction>,
}

impl From<WrittenProcess> for Process {
    fn from(written: WrittenProcess) -> Self {
        let of_x0 = Prediction::of_x0(written.predict_x0);
        Process {
            schedule: written.schedule,
            timesteps: written.timesteps,
            rescale_timesteps: written.rescale_timesteps,
            predict: written.predict.unwrap_or(of_x0),
        }
    }
}

impl From<Process> for WrittenProcess {
    fn from(process: Process) -> Self {
        let predict_x0 = process.predict == Prediction::X0;
        let said = Prediction::of_x0(predict_x0) == process.predict;
        WrittenProcess {
            schedule: process.schedule,
            timesteps: process.timesteps,
            rescale_timesteps: process.rescale_timesteps,
            predict_x0,
            predict: (!said).then_some(process.predict),
        }
    }
}

/// What a checkpoint written here says of itself, as JSON under the safetensors metadata key `runner`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    pub arch: Arch,
    /// None for the feature net, which sees clean images.
    pub process: Option<Process>,
    /// Class names, index order; empty when unknown.
    pub classes: Vec<String>,
    /// Optimizer steps taken.
    pub steps: u64,
    /// The one number of DDIM steps that a distilled net draws in, spaced as `"trailing"`; none for nets of every level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distilled: Option<usize>,
}
