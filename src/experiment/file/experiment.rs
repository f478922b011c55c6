//! The experiment file, typed.

use crate::experiment::file::claim::Claim;
use crate::experiment::file::defaults::Defaults;
use crate::experiment::file::vars::single_values;
use crate::experiment::schema::texts::{study_name, variables};
use crate::experiment::scoring::metric::Need;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use crate::experiment::external::tables::{
    Adopted, AskedImages, CommandSample, CommandTrain, Evaluation, Program, Sampling, Training,
};
pub use crate::experiment::file::drawing::guidance::Guidance;
pub use crate::experiment::file::drawing::samplers::{Sampler, Spacing};
pub use crate::experiment::file::drawing::sampling::{
    Class, ClassRule, Classes, Precision, Sample, TRAINED_IN, Upsample, VarianceRule,
};
pub use crate::experiment::file::drawing::steps::Steps;
pub use crate::experiment::file::eval::Eval;
pub use crate::experiment::file::model::{ArchChanges, Kind, Model, ProcessChanges};
pub use crate::experiment::file::published::Published;
pub use crate::experiment::file::shown::{Chart, Column, Deltas, Grids, Latex, ReportOptions};
pub use crate::experiment::file::slurm::Slurm;
pub use crate::experiment::file::training::distill::{Distill, Round, SnrWeighting};
pub use crate::experiment::file::training::labels::Labels;
pub use crate::experiment::file::training::train::{
    Anneal, Decays, PowerEma, ScheduleSampler, Train, Weighting,
};

/// The whole file. Its parameters say what `[sample]`, `[train]` and `[eval]` are read as: any of their forms, or, to
/// tell a mistake with its line and the keys that are allowed, the very one that a file has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    description = "One file is one study: what is trained, drawn and scored, and along which axes."
)]
pub struct Experiment<S = Sampling, T = Training, E = Evaluation> {
    /// The name of the study, and of its folder below `reports/`: letters, digits, `-`, `_`, `.`, `+` and spaces, not a dot
    /// first.
    #[schemars(transform = study_name, example = &"guidance")]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// Values of your own under any name: texts, numbers, `true` and `false`. A text takes one by `{vars.NAME}`, and
    /// `[grid] vars.NAME = [...]` makes one an axis.
    #[serde(
        default,
        skip_serializing_if = "toml::Table::is_empty",
        deserialize_with = "single_values"
    )]
    #[schemars(schema_with = "open_table", transform = variables, example = json_schema!({ "cfg": 1.5 }))]
    pub vars: toml::Table,
    #[serde(default, skip_serializing_if = "Model::is_empty")]
    pub model: Model,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    #[schemars(default)]
    pub train: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance: Option<Guidance>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    #[schemars(default)]
    pub sample: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upsample: Option<Upsample>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    #[schemars(default)]
    pub eval: Option<E>,
    /// Axes: any value of the file again, as a list of the values that it takes. Every combination of all axes is a cell.
    /// With `sample.from`, `"*"` in the place of a list takes every value that the names of the images hold.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(schema_with = "open_table")]
    pub grid: toml::Table,
    /// Lists of one length that move together: the first values of all of them are one point of the axis, then the
    /// second, and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "open_tables")]
    pub zip: Vec<toml::Table>,
    /// A row of values that belong together. A list is several values, each a cell; a value that is a list itself is
    /// written in a list of its own: `model.arch.attention = [[32, 16, 8]]`. All cases are one axis, called `case` where
    /// they have a `name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "open_tables")]
    pub case: Vec<toml::Table>,
    /// Line charts of the report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chart: Vec<Chart>,
    /// Scores that others have printed, shown beside the measured ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<Published>,
    /// What others have found, put to the test of the measured scores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim: Vec<Claim>,
    #[serde(default, skip_serializing_if = "ReportOptions::is_empty")]
    pub report: ReportOptions,
    #[serde(default, skip_serializing_if = "Slurm::is_empty")]
    pub slurm: Slurm,
}

/// A table whose keys mirror those of the file; which, the schema of the whole file says.
fn open_table(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

fn open_tables(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "object" } })
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
            slurm: Slurm::default(),
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

    /// The net that draws, as `[train]` makes it where there is one.
    pub fn drawn_model(&self) -> Model {
        match self.net_train() {
            Some(train) => self.model.trained_by(train),
            None => self.model.clone(),
        }
    }

    /// `[train]` of a net of ours.
    pub fn net_train(&self) -> Option<&Train> {
        match self.train.as_ref()? {
            Training::Net(train) => Some(train),
            Training::Command(_) => None,
        }
    }

    /// The updates of `[train]` after which the net that draws was kept; none for the net at its end.
    pub fn drawn_after(&self) -> Option<u64> {
        let train = self.net_train()?;
        let asked = train.drawn_after(self.net_sample()?);
        asked.filter(|steps| *steps != train.updates())
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

fn none<T>() -> Option<T> {
    None
}
