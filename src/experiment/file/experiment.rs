//! The experiment file, typed.

use crate::experiment::file::claim::Claim;
use crate::experiment::file::defaults::Defaults;
use crate::experiment::file::vars::single_values;
use crate::experiment::nets::arch::{NoiseSchedule, Pool, QkvOrder};
use crate::experiment::scoring::metric::{Metric, Need};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use crate::experiment::external::tables::{
    Adopted, AskedImages, CommandSample, CommandTrain, Evaluation, Program, Sampling, Training,
};
pub use crate::experiment::file::eval::Eval;
pub use crate::experiment::file::sampling::{
    Class, ClassRule, Classes, Precision, Sample, Sampler, Steps, Upsample, VarianceRule,
};
pub use crate::experiment::file::train::{Anneal, ScheduleSampler, Train, Weighting};

/// The whole file. Its parameters say what `[sample]`, `[train]` and `[eval]` are read as: any of their forms, or, to
/// tell a mistake with its line and the keys that are allowed, the very one that a file has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment<S = Sampling, T = Training, E = Evaluation> {
    pub name: String,
    /// The file that this one starts from; its values are laid below this one's when the file is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// Values of the user's own, by name.
    #[serde(
        default,
        skip_serializing_if = "toml::Table::is_empty",
        deserialize_with = "single_values"
    )]
    pub vars: toml::Table,
    /// The net that is trained, or that draws the samples; programs have no need of one.
    #[serde(default, skip_serializing_if = "Model::is_empty")]
    pub model: Model,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub train: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance: Option<Guidance>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub sample: Option<S>,
    /// The net that makes large images of the samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upsample: Option<Upsample>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub eval: Option<E>,
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub grid: toml::Table,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zip: Vec<toml::Table>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub case: Vec<toml::Table>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chart: Vec<Chart>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<Published>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim: Vec<Claim>,
    #[serde(default, skip_serializing_if = "ReportOptions::is_empty")]
    pub report: ReportOptions,
}

impl<S, T, E> Default for Experiment<S, T, E> {
    fn default() -> Self {
        Experiment {
            name: String::new(),
            vars: toml::Table::new(),
            model: Model::default(),
            train: None,
            guidance: None,
            sample: None,
            upsample: None,
            eval: None,
            defaults: None,
            case: Vec::new(),
            grid: toml::Table::new(),
            zip: Vec::new(),
            chart: Vec::new(),
            published: Vec::new(),
            claim: Vec::new(),
            report: ReportOptions::default(),
        }
    }
}

impl Experiment {
    /// `[sample]` of a net of ours.
    pub fn net_sample(&self) -> Option<&Sample> {
        match self.sample.as_ref()? {
            Sampling::Net(sample) => Some(sample),
            Sampling::Command(_) | Sampling::Files(_) => None,
        }
    }

    /// `[train]` of a net of ours.
    pub fn net_train(&self) -> Option<&Train> {
        match self.train.as_ref()? {
            Training::Net(train) => Some(train),
            Training::Command(_) => None,
        }
    }

    /// What `[eval]` scores on features.
    pub fn scores(&self) -> Option<&Eval> {
        self.eval.as_ref()?.scores.as_ref()
    }

    /// Whether a metric compares images with the labels that they were asked for.
    pub fn needs_labels(&self) -> bool {
        let asked = self.scores().into_iter().flat_map(|eval| &eval.metrics);
        asked.into_iter().any(|metric| metric.needs(Need::Labels))
    }

    /// What `[eval]` measures by a program.
    pub fn measuring(&self) -> Option<&Program> {
        self.eval.as_ref()?.program.as_ref()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Unet,
    SuperRes,
    Classifier,
    Features,
}

/// A net: a preset or the checkpoint's own card, then `arch` and `process` over it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Pixels a side; must agree with the checkpoint when both say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<PathBuf>,
    #[serde(skip_serializing_if = "ArchChanges::is_empty")]
    pub arch: ArchChanges,
    #[serde(skip_serializing_if = "ProcessChanges::is_empty")]
    pub process: ProcessChanges,
}

/// `[model.arch]`: what differs from the preset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[rustfmt::skip]
pub struct ArchChanges {
    #[serde(skip_serializing_if = "Option::is_none")] pub in_channels: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub channels: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub res_blocks: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub channel_mult: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")] pub attention: Option<Vec<usize>>,
    /// Setting `heads` clears the preset's `channels_per_head`, and the other way round; 0 leaves the split to the other.
    #[serde(skip_serializing_if = "Option::is_none")] pub heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub channels_per_head: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub heads_up: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub qkv_order: Option<QkvOrder>,
    #[serde(skip_serializing_if = "Option::is_none")] pub adagn: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")] pub updown: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")] pub conv_resample: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")] pub norm_groups: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub rescale_residual: Option<bool>,
    /// Number of classes; 0 makes a UNet unconditional.
    #[serde(skip_serializing_if = "Option::is_none")] pub classes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub learn_sigma: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")] pub pool: Option<Pool>,
    /// Super-resolution nets: pixels a side of the small image.
    #[serde(skip_serializing_if = "Option::is_none")] pub low_resolution: Option<usize>,
}

impl Model {
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

/// `[model.process]`: what differs from the preset's diffusion process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[rustfmt::skip]
pub struct ProcessChanges {
    #[serde(skip_serializing_if = "Option::is_none")] pub schedule: Option<NoiseSchedule>,
    #[serde(skip_serializing_if = "Option::is_none")] pub timesteps: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")] pub rescale_timesteps: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")] pub predict_x0: Option<bool>,
}

impl ProcessChanges {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `[guidance]`: the noisy classifier and its strength. Its weights are a file's, or are made by `[guidance.train]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<PathBuf>,
    /// 0 runs no classifier at all, nor trains one.
    pub scale: f64,
    /// What the classifier's blocks are calculated in (ADM's `classifier_use_fp16`).
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub dtype: Precision,
    /// What differs from the preset.
    #[serde(default, skip_serializing_if = "ArchChanges::is_empty")]
    pub arch: ArchChanges,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Train>,
}

impl Guidance {
    /// The classifier.
    pub fn model(&self) -> Model {
        Model {
            kind: Kind::Classifier,
            preset: self.preset.clone(),
            checkpoint: self.checkpoint.clone(),
            arch: self.arch.clone(),
            ..Model::default()
        }
    }
}

/// `[[chart]]`: one line chart a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// An axis (`guidance.scale`) or a metric (`recall`).
    pub x: String,
    pub y: Vec<String>,
    /// The axes that make the lines, one line a combination; in the file a name alone or a list.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_more"
    )]
    pub by: Vec<String>,
}

/// `[[published]]`: scores that others have printed, shown beside the measured ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Where it was printed.
    pub source: String,
    /// Axes of this file and the value on each, written as in the file: `at.guidance.scale = 1`.
    pub at: toml::Table,
    pub scores: BTreeMap<Metric, f64>,
}

/// `[report]`: what the report shows beyond the table of scores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportOptions {
    /// A second table, of differences.
    pub deltas: Deltas,
    /// Which sample grids there are.
    pub grids: Grids,
}

/// Sample grids: cells under each other, and every cell by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grids {
    #[default]
    All,
    /// Only the cells under each other.
    Overview,
    None,
}

/// What a row is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected true, false, or the axis along which rows are compared"
)]
pub enum Deltas {
    /// With the first row of its reference, or with none.
    First(bool),
    /// With the row that stands first on this axis, and as it does on every other.
    Along(String),
}

impl Default for Deltas {
    fn default() -> Self {
        Deltas::First(false)
    }
}

impl ReportOptions {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `"a"` as well as `["a", "b"]`.
fn one_or_more<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a name or a list of names")]
    enum Names {
        One(String),
        More(Vec<String>),
    }
    Ok(match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::More(names) => names,
    })
}

fn none<T>() -> Option<T> {
    None
}
