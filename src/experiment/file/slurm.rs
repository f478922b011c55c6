//! `[slurm]`: what the workers of `runner sweep --slurm` ask of a cluster. It is in no key of any result.

use crate::experiment::check::ranges::Range;
use crate::experiment::schema::texts::not_blank;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

/// The longest `signal_before` that Slurm takes.
pub const MOST_SECONDS: u64 = 65535;

/// What `runner sweep FILE --slurm` asks of a cluster for each worker. The same keys in `~/.config/runner/slurm.toml` hold for
/// all studies of a user; those of the study win, key by key. `[slurm.stage.NAME]` has the keys of the workers of one stage
/// (train, sample, upsample, features or metrics); stages that ask for the same share their workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slurm {
    /// sbatch's `--partition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = not_blank, example = &"gpu")]
    pub partition: Option<String>,
    /// sbatch's `--account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = not_blank, example = &"lab")]
    pub account: Option<String>,
    /// sbatch's `--qos`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = not_blank, example = &"normal")]
    pub qos: Option<String>,
    /// sbatch's `--constraint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = not_blank, example = &"a100|h100")]
    pub constraint: Option<String>,
    /// How long a worker may run, as sbatch's `--time` takes it: `hours:minutes:seconds`, `days-hours`, or a number of
    /// minutes. Needed; a worker stops before it is over and another goes on.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text_or_minutes"
    )]
    #[schemars(schema_with = "time_schema")]
    pub time: Option<String>,
    /// CPU cores of a worker: sbatch's `--cpus-per-task`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 8)]
    pub cpus: Option<usize>,
    /// Memory of a worker: sbatch's `--mem`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = not_blank, example = &"16G")]
    pub mem: Option<String>,
    /// GPUs of a worker, of any kind; 0 asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromZero, example = 1)]
    pub gpus: Option<usize>,
    /// sbatch's `--gres`, in the place of `gpus`, where the kind matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = not_blank, example = &"gpu:a100:1")]
    pub gres: Option<String>,
    /// The most workers at once, of the stages that share them. 8 where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 32)]
    pub workers: Option<usize>,
    /// Lines for the shell before the worker starts. With any, the shell is bash as at login, so that `module` is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = ["module load cuda/12.4"])]
    pub setup: Option<Vec<String>>,
    /// Variables of the workers: `NAME=VALUE`, or `NAME` for the value that it has where the sweep is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = ["HF_HOME", "OMP_NUM_THREADS=1"])]
    pub env: Option<Vec<String>>,
    /// More options of sbatch, each with its value in one text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = ["--exclude=n[1-4]"])]
    pub extra: Option<Vec<String>>,
    /// Seconds before the end of its time at which a worker is asked to stop; 90 where it is not set. It keeps the images of
    /// the part at hand. Slurm may ask up to a minute earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = seconds, example = 180)]
    pub signal_before: Option<u64>,
    /// How often in a row lost workers are replaced without anything new in the store; 3 where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromZero, example = 5)]
    pub resubmits: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Box<SlurmStages>>,
}

/// Keys of `[slurm]` for the workers of one stage; not `stage` and not `resubmits`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmStages {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<Slurm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Slurm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upsample: Option<Slurm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Slurm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Slurm>,
}

impl SlurmStages {
    /// The tables that are there, by the stage's name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Slurm)> {
        [
            ("train", &self.train),
            ("sample", &self.sample),
            ("upsample", &self.upsample),
            ("features", &self.features),
            ("metrics", &self.metrics),
        ]
        .into_iter()
        .filter_map(|(name, table)| Some((name, table.as_ref()?)))
    }
}

impl Slurm {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These keys, and those of `below` that are not among them.
    pub fn over(&self, below: &Slurm) -> Slurm {
        let gpus = self.gpus.is_some() || self.gres.is_some();
        let stages = |slurm: &Slurm| slurm.stage.as_deref().cloned().unwrap_or_default();
        let (own, under) = (stages(self), stages(below));
        let stage = |own: Option<Slurm>, under: Option<Slurm>| match (own, under) {
            (Some(own), Some(under)) => Some(own.over(&under)),
            (own, under) => own.or(under),
        };
        let stages = SlurmStages {
            train: stage(own.train, under.train),
            sample: stage(own.sample, under.sample),
            upsample: stage(own.upsample, under.upsample),
            features: stage(own.features, under.features),
            metrics: stage(own.metrics, under.metrics),
        };
        let text = |own: &Option<String>, under: &Option<String>| own.clone().or(under.clone());
        let list =
            |own: &Option<Vec<String>>, under: &Option<Vec<String>>| own.clone().or(under.clone());
        Slurm {
            partition: text(&self.partition, &below.partition),
            account: text(&self.account, &below.account),
            qos: text(&self.qos, &below.qos),
            constraint: text(&self.constraint, &below.constraint),
            time: text(&self.time, &below.time),
            cpus: self.cpus.or(below.cpus),
            mem: text(&self.mem, &below.mem),
            gpus: self.gpus.or(below.gpus.filter(|_| !gpus)),
            gres: text(&self.gres, &below.gres.clone().filter(|_| !gpus)),
            workers: self.workers.or(below.workers),
            setup: list(&self.setup, &below.setup),
            env: list(&self.env, &below.env),
            extra: list(&self.extra, &below.extra),
            signal_before: self.signal_before.or(below.signal_before),
            resubmits: self.resubmits.or(below.resubmits),
            stage: Some(stages)
                .filter(|stages| *stages != SlurmStages::default())
                .map(Box::new),
        }
    }

    /// What a worker of the stage of this name is asked for with.
    pub fn of_stage(&self, name: &str) -> Slurm {
        let stages = self.stage.as_deref().into_iter();
        let own = stages.flat_map(SlurmStages::all);
        let own = own.filter(|(stage, _)| *stage == name);
        let own = own.map(|(_, own)| own.clone()).next().unwrap_or_default();
        Slurm {
            stage: None,
            ..own.over(self)
        }
    }
}

/// A text, a number of minutes, or a time as TOML has it (`02:00:00` without quotes).
fn text_or_minutes<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a time such as \"04:00:00\", or a number of minutes"
    )]
    enum Time {
        Text(String),
        Minutes(u64),
        Clock(toml::value::Datetime),
    }
    Ok(Some(match Time::deserialize(reader)? {
        Time::Text(text) => text,
        Time::Minutes(minutes) => minutes.to_string(),
        Time::Clock(time) => time.to_string(),
    }))
}

fn time_schema(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "anyOf": [
            { "type": "string", "pattern": "^[0-9]+(-[0-9]+)?(:[0-9]+){0,2}$" },
            { "type": "integer", "minimum": 1 },
        ],
        "examples": ["04:00:00"],
    })
}

fn seconds(schema: &mut Schema) {
    schema.insert("minimum".into(), json!(1));
    schema.insert("maximum".into(), json!(MOST_SECONDS));
}
