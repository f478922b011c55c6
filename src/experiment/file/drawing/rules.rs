//! The rules of `[guidance]`: what guides, where, how its strength goes, and how two answers become one.

use crate::experiment::check::ranges::Range;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What guides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Method {
    /// The gradient of a classifier of noisy images (arXiv:2105.05233, section 4).
    #[default]
    Classifier,
    /// The net's own answer without a class: the answer moves away from it (arXiv:2207.12598).
    ClassifierFree,
    /// A weaker net's answer to the same image and class (arXiv:2406.02507).
    Autoguidance,
    /// The net's own answer to the image blurred where its attention lies (arXiv:2210.00939).
    SelfAttention,
    /// The net's own answer with the identity in place of some attention maps (arXiv:2403.17377).
    PerturbedAttention,
}

impl Method {
    /// Whether the second answer is the sampled net's, by way of its attention blocks.
    pub fn by_attention(self) -> bool {
        matches!(self, Method::SelfAttention | Method::PerturbedAttention)
    }
}

/// How a scale is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Convention {
    /// w of u + w (c - u): 1 does not guide. So do DiT, EDM2 and most programs.
    #[default]
    Standard,
    /// w of (1 + w) c - w u, as the paper on classifier-free guidance: 0 does not guide.
    Paper,
}

/// How the scale goes over a draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Course {
    /// The same at every step.
    #[default]
    Constant,
    /// From none at the noise evenly to `scale` at the image.
    Linear,
    /// From none to `scale` as (1 - cos(pi s^power)) / 2, s the share of the way (arXiv:2303.14389).
    Cosine,
}

/// Where in a draw it guides; elsewhere the second net is not asked. Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Interval {
    /// Timesteps of the process, from 0 at the image to T - 1.
    Timesteps([f64; 2]),
    /// Noise over signal, sigma of arXiv:2404.07724.
    Sigma([f64; 2]),
    /// Shares of the steps, from 0 at the noise to 1: step k of S, counted from 0, guides where
    /// floor(first S) <= k < floor(last S).
    Steps([f64; 2]),
}

/// How the two answers are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Form {
    /// u + w (c - u).
    #[default]
    #[serde(rename = "plain")]
    Plain,
    /// CFG++ (arXiv:2406.08070): `scale` 0 to 1, DDIM alone.
    #[serde(rename = "cfg++")]
    PlusPlus,
    /// Adaptive projected guidance (arXiv:2410.02416), with the table `apg`.
    #[serde(rename = "apg")]
    Apg,
    /// CFG-Zero* without its zeroed first steps (arXiv:2503.18886).
    #[serde(rename = "zero-star")]
    ZeroStar,
}

/// Numbers of `form = "apg"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Apg {
    /// beta: the share of the earlier steps' difference that is added; below 0 in the paper.
    #[schemars(extend("default" = 0.0), example = -0.75)]
    pub momentum: f64,
    /// r: the largest norm of an image's difference. Left out, there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::AboveZero, example = 2.5)]
    pub norm: Option<f64>,
    /// eta: the share of the difference that is parallel to the answer; 1 is plain guidance.
    #[schemars(transform = Range::FromZero, extend("default" = 0.0), example = 0.0)]
    pub parallel: f64,
}

/// The Gaussian blur of `method = "self-attention"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Blur {
    /// Standard deviation in pixels. Left out, 3 at 128 pixels a side, as the paper's, and in proportion at others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::AboveZero, example = 3.0)]
    pub sigma: Option<f64>,
    /// Pixels a side of the kernel: odd, and less than twice those of the images. Left out, `sigma` five times on each
    /// side, 31 for 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 31)]
    pub kernel: Option<usize>,
}

/// The block of the bottom level, which every UNet has.
pub const MIDDLE_BLOCK: &str = "middle_block.1";

/// What the net without a class is, for classifier-free guidance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Null {
    /// The class that stands for none, of a net that was trained with `label_dropout`.
    Class,
    /// The net with its class embedding left out.
    Zero,
    /// The net asked for a random class, a fresh one at every step.
    Random,
    /// The unconditional net of `guidance.checkpoint` or `[guidance.train]`.
    Net,
}

/// How a cell is guided, beside the scale and the nets: all that is not as it is where a file is silent reaches the key.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rule {
    #[serde(skip_serializing_if = "is_default")]
    pub method: Method,
    #[serde(skip_serializing_if = "is_default")]
    pub course: Course,
    /// Of the cosine course; 0 for the others.
    #[serde(skip_serializing_if = "is_default")]
    pub power: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    #[serde(skip_serializing_if = "is_default")]
    pub form: Form,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apg: Option<Apg>,
    #[serde(skip_serializing_if = "is_default")]
    pub rescale: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<Null>,
    /// Sorted; none where it is the middle block.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) blocks: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub blur: Blur,
    #[serde(skip_serializing_if = "is_default")]
    pub entropy: bool,
}

impl Rule {
    /// The scale at which it guides nothing.
    pub fn idle(&self) -> f64 {
        match self.method {
            Method::Classifier => 0.0,
            _ => 1.0,
        }
    }

    /// The attention blocks by which it guides; none for methods that guide by something else.
    pub fn blocks(&self) -> Vec<String> {
        if self.method.by_attention() && self.blocks.is_empty() {
            return vec![MIDDLE_BLOCK.to_string()];
        }
        self.blocks.clone()
    }
}

/// Whether a value is the one of a file that is silent about it.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
