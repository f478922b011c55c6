//! `[model]`: the net of a study, and what a file changes of its preset.

use crate::experiment::check::ranges::{Each, Range, not_empty};
use crate::experiment::file::training::train::Train;
use crate::experiment::nets::arch::{NoiseSchedule, Pool, Prediction, QkvOrder};
use crate::experiment::schema::texts::{any_preset, path_or_fetched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a net is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Kind {
    /// Draws images from noise.
    #[default]
    Unet,
    /// Makes large images of small ones.
    SuperRes,
    /// Names the class of a noisy image.
    Classifier,
    /// Turns clean images into features, on which scores are measured.
    Features,
}

/// The net that is trained by `[train]`, or that draws the images of `[sample]`. It is known by a preset, or by what its
/// checkpoint says of itself; `arch` and `process` then change single options. A study of programs needs no such table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// What the net is for. `[sample]` draws from a `unet`; the other kinds are for `[train]`.
    #[schemars(example = &"classifier")]
    pub kind: Kind,
    /// An architecture by its name, with the diffusion process that it was trained on. A checkpoint that was written by
    /// `runner` says its architecture itself and needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = any_preset, example = &"imagenet64")]
    pub preset: Option<String>,
    /// Side of the square images, in pixels. Leave it out to take the preset's or the checkpoint's; where the checkpoint
    /// says it too, the two must agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 64)]
    pub resolution: Option<usize>,
    /// The file of the net's weights: `.pt` of guided-diffusion, `.safetensors` of `runner`, or `fetch:NAME`. Not together
    /// with `[train]`, which makes the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = path_or_fetched, example = &"models/64x64_diffusion.pt", example = &"fetch:imagenet64")]
    pub checkpoint: Option<PathBuf>,
    #[serde(skip_serializing_if = "ArchChanges::is_empty")]
    pub arch: ArchChanges,
    #[serde(skip_serializing_if = "ProcessChanges::is_empty")]
    pub process: ProcessChanges,
}

/// Options of the architecture that differ from the preset. What is left out is as the preset has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArchChanges {
    /// Channels of the images: 3 for RGB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 3)]
    pub in_channels: Option<usize>,
    /// Base width of the net, in channels; each level has `channel_mult` times as many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 192)]
    pub channels: Option<usize>,
    /// Residual blocks of each level on the way down; the way up has one more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 3)]
    pub res_blocks: Option<usize>,
    /// Factor on `channels`, one for each level from the finest grid down; each level halves the side. Fractions such as
    /// 0.5 are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = not_empty, transform = Each(Range::AboveZero), example = [1, 2, 3, 4])]
    pub channel_mult: Option<Vec<f64>>,
    /// Sides, in pixels, of the grids whose blocks have attention. The middle block has it always. These are resolutions,
    /// as in guided-diffusion's flag, not the factors that its code makes of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = [32, 16, 8])]
    pub attention: Option<Vec<usize>>,
    /// Heads of each attention block. Setting it clears the preset's `channels_per_head`; 0 leaves the split to
    /// `channels_per_head`, so that lists of both can move together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 4)]
    pub heads: Option<usize>,
    /// Channels of each attention head; the number of heads follows from the width of the block. Setting it clears
    /// `heads`; 0 leaves the split to `heads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 64)]
    pub channels_per_head: Option<usize>,
    /// Heads of the attention blocks on the way up, where they differ from `heads`. UNets only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 4)]
    pub heads_up: Option<usize>,
    /// How the rows of the query, key and value weights are laid out in the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"new")]
    pub qkv_order: Option<QkvOrder>,
    /// Whether time and class scale and shift the normalised activations (AdaGN); `false` adds them instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub adagn: Option<bool>,
    /// Whether residual blocks make the grid smaller and larger, as in BigGAN; `false` leaves it to plain layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub updown: Option<bool>,
    /// Whether the plain layers that change the grid have learned convolutions. Without effect where `updown` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub conv_resample: Option<bool>,
    /// Groups of every group normalisation; 32 in guided-diffusion. Narrow nets need fewer: with one channel a group the
    /// normalisation takes away the mean colour of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 8)]
    pub norm_groups: Option<usize>,
    /// Whether each residual sum is divided by the square root of 2, as in table 1 of the ADM paper. The released nets do
    /// not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub rescale_residual: Option<bool>,
    /// Number of classes. 0 makes a UNet unconditional; classifiers and feature nets need at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1000)]
    pub classes: Option<usize>,
    /// Whether the net has output channels for the variance of a step beside those for its mean. UNets only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub learn_sigma: Option<bool>,
    /// Whether the net has one class more, which stands for none. `train.label_dropout` above 0 gives it one. UNets with
    /// classes only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub null_class: Option<bool>,
    /// How a classifier pools its last grid into one vector. Classifiers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"attention")]
    pub pool: Option<Pool>,
    /// Side of the small image that a super-resolution net starts from, in pixels; it must divide the side of the large
    /// one. No tensor tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 64)]
    pub low_resolution: Option<usize>,
}

/// What differs from the preset's diffusion process. It must be the one that the net was trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessChanges {
    /// How the noise grows over the timesteps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"cosine")]
    pub schedule: Option<NoiseSchedule>,
    /// T, the number of timesteps that the net was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 1000)]
    pub timesteps: Option<usize>,
    /// Whether the net is told `t * 1000 / T` instead of the timestep t.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = false)]
    pub rescale_timesteps: Option<bool>,
    /// Whether the net predicts the clean image instead of the noise: `predict = "x0"`, or `predict = "noise"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = false)]
    pub predict_x0: Option<bool>,
    /// What the net predicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"velocity")]
    pub predict: Option<Prediction>,
}

impl Model {
    /// The net that `train` makes of this one: with a class that stands for none, where labels are dropped.
    pub fn trained_by(&self, train: &Train) -> Model {
        let mut model = self.clone();
        if train.label_dropout > 0.0 {
            model.arch.null_class = Some(true);
        }
        model
    }

    /// Whether nothing is said of it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ArchChanges {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ProcessChanges {
    /// What the net is said to predict, by either key.
    pub fn prediction(&self) -> Option<Prediction> {
        self.predict.or(self.predict_x0.map(Prediction::of_x0))
    }

    /// The same with the older of the two keys wherever it can say it, so that both ways to write it are one.
    pub fn written(&self) -> ProcessChanges {
        let said = self.prediction();
        let predict_x0 = match said {
            Some(Prediction::Noise) => Some(false),
            Some(Prediction::X0) => Some(true),
            Some(Prediction::Velocity) | None => None,
        };
        ProcessChanges {
            predict_x0,
            predict: said.filter(|_| predict_x0.is_none()),
            ..self.clone()
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
