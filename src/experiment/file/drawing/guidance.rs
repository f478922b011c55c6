//! `[guidance]`: what pushes the samples towards what is asked for, and how hard.

use crate::experiment::check::ranges::Range;
use crate::experiment::file::drawing::sampling::Precision;
use crate::experiment::file::model::{ArchChanges, Kind, Model};
use crate::experiment::file::train::Train;
use crate::experiment::schema::texts::{guide_preset, path_or_fetched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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

/// What pushes the samples towards their classes, and how hard: a classifier of noisy images, or a second answer of a
/// denoiser. Its weights, where it has any of its own, are a file's, or are made by `[guidance.train]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    /// What guides.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = Method::default()), example = &"classifier-free")]
    pub method: Method,
    /// The architecture of the classifier, or of the second net, by its name. A checkpoint that was written by `runner`
    /// needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = guide_preset, example = &"imagenet64-classifier")]
    pub preset: Option<String>,
    /// The file of its weights, or `fetch:NAME`. Not together with `[guidance.train]`, which makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = path_or_fetched, example = &"fetch:imagenet64-classifier")]
    pub checkpoint: Option<PathBuf>,
    /// Autoguidance by the net of `[train]` as it was after so many steps, one of `train.keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 600)]
    pub trained_steps: Option<u64>,
    /// Guides by this moving average of the weights: one of `ema` of `[guidance.train]`, or, for autoguidance by the net of
    /// `[train]`, of `train.ema`. Left out, it is the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::ZeroToBelowOne, example = 0.999)]
    pub ema: Option<f64>,
    /// Guides by the power-function average of this sigma_rel, as `sample.ema_length` draws with one; of the training that
    /// `ema` would choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::AboveZero, example = 0.02)]
    pub ema_length: Option<f64>,
    /// How hard. Of a classifier, the factor on its gradient: 0 runs no classifier at all, nor trains one. Of a second
    /// answer, how far beyond it: 1 does not guide, 0 is the second answer alone.
    #[schemars(transform = Range::FromZero, example = 1.0)]
    pub scale: f64,
    /// How `scale` is counted where a second answer guides.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = Convention::default()), example = &"paper")]
    pub convention: Convention,
    /// How the scale goes over a draw.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = Course::default()), example = &"linear")]
    pub course: Course,
    /// Power of `course = "cosine"`.
    #[serde(default = "power", skip_serializing_if = "is_power")]
    #[schemars(transform = Range::AboveZero, extend("default" = power()), example = 4.0)]
    pub power: f64,
    /// Where in a draw it guides: `timesteps`, `sigma` or `steps`. Left out, everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = Interval::Sigma([0.3, 3.0]))]
    pub interval: Option<Interval>,
    /// How the two answers are combined.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = Form::default()), example = &"apg")]
    pub form: Form,
    /// Numbers of `form = "apg"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apg: Option<Apg>,
    /// Share of the combined answer that gets back the spread of the conditional one (arXiv:2305.08891).
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(transform = Range::ZeroToOne, extend("default" = 0.0), example = 0.7)]
    pub rescale: f64,
    /// The net without a class, of classifier-free guidance. Left out: the net of `checkpoint` or `[guidance.train]` where
    /// one is named, else the class that stands for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"zero")]
    pub null: Option<Null>,
    /// Multiplies the classifier's gradient by ln K over the entropy of its answer (arXiv:2206.11474).
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = false), example = true)]
    pub entropy: bool,
    /// What its blocks are calculated in.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    #[schemars(extend("default" = Precision::default()), example = &"f16")]
    pub dtype: Precision,
    #[serde(default, skip_serializing_if = "ArchChanges::is_empty")]
    pub arch: ArchChanges,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Train>,
}

/// How a cell is guided, beside the scale and the nets: all that is not as it is where a file is silent reaches the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
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
    #[serde(skip_serializing_if = "is_default")]
    pub entropy: bool,
}

impl Rule {
    /// The scale at which it guides nothing.
    pub fn idle(&self) -> f64 {
        match self.method {
            Method::Classifier => 0.0,
            Method::ClassifierFree | Method::Autoguidance => 1.0,
        }
    }
}

impl Guidance {
    /// Guidance by a classifier of this file, and everything else as where a file is silent.
    pub fn by(preset: Option<String>, checkpoint: PathBuf, scale: f64) -> Guidance {
        Guidance {
            method: Method::Classifier,
            preset,
            checkpoint: Some(checkpoint),
            trained_steps: None,
            ema: None,
            ema_length: None,
            scale,
            convention: Convention::Standard,
            course: Course::Constant,
            power: power(),
            interval: None,
            form: Form::Plain,
            apg: None,
            rescale: 0.0,
            null: None,
            entropy: false,
            dtype: Precision::F32,
            arch: ArchChanges::default(),
            train: None,
        }
    }

    /// The classifier, or the second net.
    pub fn model(&self) -> Model {
        let kind = match self.method {
            Method::Classifier => Kind::Classifier,
            Method::ClassifierFree | Method::Autoguidance => Kind::Unet,
        };
        Model {
            kind,
            preset: self.preset.clone(),
            checkpoint: self.checkpoint.clone(),
            arch: self.arch.clone(),
            ..Model::default()
        }
    }

    /// Whether a file or a training is named for it.
    pub fn has_net(&self) -> bool {
        self.checkpoint.is_some() || self.train.is_some()
    }

    /// Whether the second net is that of `[train]`, at another step or as another average.
    pub fn is_of_train(&self) -> bool {
        let average = self.ema.or(self.ema_length);
        !self.has_net() && (self.trained_steps.is_some() || average.is_some())
    }

    /// Whether a classifier guides.
    pub fn by_classifier(&self) -> bool {
        self.method == Method::Classifier
    }

    /// `scale` as w of u + w (c - u), or as the factor on a gradient.
    pub fn weight(&self) -> f64 {
        match self.convention {
            Convention::Standard => self.scale,
            Convention::Paper => self.scale + 1.0,
        }
    }

    /// The weight at which nothing is guided.
    pub fn idle(&self) -> f64 {
        if self.by_classifier() { 0.0 } else { 1.0 }
    }

    /// Whether the cell is drawn as if there were no guidance, and shares those images.
    pub fn is_idle(&self) -> bool {
        self.weight() == self.idle() && self.form != Form::PlusPlus
    }

    /// What the net without a class is; none for the other methods.
    pub fn null(&self) -> Option<Null> {
        let own = if self.has_net() {
            Null::Net
        } else {
            Null::Class
        };
        (self.method == Method::ClassifierFree).then(|| self.null.unwrap_or(own))
    }

    /// The rule, without what has no effect.
    pub fn rule(&self) -> Rule {
        let whole = |interval: &Interval| match interval {
            Interval::Timesteps([low, _]) | Interval::Sigma([low, _]) if *low > 0.0 => false,
            Interval::Timesteps([_, high]) => high.is_infinite(),
            Interval::Sigma([_, high]) => high.is_infinite(),
            Interval::Steps(shares) => *shares == [0.0, 1.0],
        };
        let cosine = self.course == Course::Cosine;
        Rule {
            method: self.method,
            course: self.course,
            power: if cosine { self.power } else { 0.0 },
            interval: self.interval.filter(|interval| !whole(interval)),
            form: self.form,
            apg: (self.form == Form::Apg).then(|| self.apg.unwrap_or_default()),
            rescale: self.rescale,
            null: self.null(),
            entropy: self.entropy,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
fn power() -> f64 {
    4.0
}
fn is_power(value: &f64) -> bool {
    *value == power()
}
