//! `[guidance]`: what pushes the samples towards what is asked for, and how hard.

use crate::experiment::check::ranges::Range;
use crate::experiment::file::drawing::rules::{
    Apg, Blur, Convention, Course, Form, Interval, MIDDLE_BLOCK, Method, Null, Rule, is_default,
};
use crate::experiment::file::drawing::sampling::Precision;
use crate::experiment::file::model::{ArchChanges, Kind, Model};
use crate::experiment::file::training::train::Train;
use crate::experiment::schema::texts::{guide_preset, path_or_fetched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// The attention blocks of `method = "self-attention"`, which takes one, and `"perturbed-attention"`, by their names in
    /// the checkpoint: `middle_block.1`, `input_blocks.N.1`, `output_blocks.N.1`. Left out, the middle block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = ["input_blocks.14.1", MIDDLE_BLOCK])]
    pub blocks: Option<Vec<String>>,
    /// The blur of `method = "self-attention"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<Blur>,
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
            blocks: None,
            blur: None,
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
            _ => Kind::Unet,
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
            blocks: self.other_blocks(),
            blur: self.blur.unwrap_or_default(),
            entropy: self.entropy,
        }
    }

    /// `blocks` as a set, where it is another than the middle block alone.
    fn other_blocks(&self) -> Vec<String> {
        let mut blocks = self.blocks.clone().unwrap_or_default();
        blocks.sort();
        blocks.dedup();
        if blocks == [MIDDLE_BLOCK] {
            blocks.clear();
        }
        blocks
    }
}

fn power() -> f64 {
    4.0
}
fn is_power(value: &f64) -> bool {
    *value == power()
}
