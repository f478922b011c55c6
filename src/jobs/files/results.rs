//! The files of finished results that others read, by name, and the records that are JSON in them.

use crate::experiment::scoring::rules::Preprocessing;
use serde::{Deserialize, Serialize};

/// The scores of a metrics result.
pub const SCORES: &str = "scores.json";

/// The file beside the scores that holds, by metric, f64 `[n]`: what each image adds to it, times n.
pub const INFLUENCES: &str = "influences.npz";

/// The means of a training's intervals, for people; no job and no report reads it.
pub const TRAINING_LOG: &str = "log.csv";

/// The centres of the clusters that label a training's images, f32 [k, d], and the labels, i64 `[n]`: empty for data without
/// end.
pub const CLUSTERS: &str = "clusters.npz";

/// What is kept, and after how many seconds.
pub const CHECKPOINTS: &str = "checkpoints.json";

/// The weights kept after `steps`, or those at the end; of the moving average with this decay, or of the first.
pub fn weights(decay: Option<f64>, steps: Option<u64>) -> String {
    let (decay, steps) = (
        decay.map_or_else(String::new, |decay| format!("-ema-{decay}")),
        steps.map_or_else(String::new, |steps| format!("-{steps:06}")),
    );
    format!("model{steps}{decay}.safetensors")
}

/// The power-function average of this relative width as it was after `steps`.
pub fn snapshot(sigma_rel: f64, steps: u64) -> String {
    format!("power-{steps:06}-{sigma_rel}.safetensors")
}

/// A checkpoint that stays, and the training seconds, without sampling or scoring, that made it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub file: String,
    pub steps: u64,
    pub seconds: f64,
}

/// The file beside the scores that says how they came about.
pub const RECORD: &str = "evaluator.json";
/// Fewer samples than this are said to bias FID: the published figures have 50,000.
pub const FEW: usize = 10_000;

/// Whose numbers they are, of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub preset: String,
    /// Whose numbers the preset reproduces, of which version.
    pub about: String,
    pub preprocessing: Preprocessing,
    /// sha256 of the feature net's weights.
    pub weights: String,
    /// The published file that has it.
    pub published: Option<String>,
    /// sha256 of the reference.
    pub reference: String,
    /// Images behind the reference's moments, where it says.
    pub reference_count: Option<u64>,
    pub samples_count: usize,
    /// How much of a distance comes from the samples being few, by metric.
    pub bias: Vec<(String, f64)>,
}

impl Record {
    /// In one line.
    pub fn line(&self) -> String {
        let real = match self.reference_count {
            Some(count) => format!("{count} reference images"),
            None => "a reference that does not count its images".to_string(),
        };
        let net = match &self.published {
            Some(name) => name.clone(),
            None => format!("sha256 {} (no published file)", &self.weights),
        };
        format!(
            "{} ({}), images resized by `{}`, {} samples, {real}, feature net {net}",
            self.preset,
            self.about,
            self.preprocessing.name(),
            self.samples_count
        )
    }
}

/// The file beside a program's results that says what it was run with.
pub const COMMAND: &str = "command.json";

/// What a program was run with; no part of any key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Commanded {
    /// Those that ended well, in their order.
    pub calls: Vec<Called>,
    pub python: Option<Python>,
    /// `cpu`, `cuda:0`.
    pub devices: Vec<String>,
    /// Of the working folder's repository.
    pub commit: Option<String>,
    /// sha256 of what differs from the commit.
    pub diff: Option<String>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    pub command: Vec<String>,
    pub seconds: f64,
    /// Bytes, of its largest process.
    pub peak_memory: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Python {
    pub version: String,
    /// sha256 of the sorted `name==version` of every package that it has.
    pub packages: String,
}

impl Commanded {
    /// In one line.
    pub fn line(&self) -> String {
        let seconds: f64 = self.calls.iter().map(|call| call.seconds).sum();
        let peak = self.calls.iter().filter_map(|call| call.peak_memory).max();
        let mut parts = vec![match self.calls.len() {
            1 => format!("1 call in {seconds:.1} s on {}", self.devices.join(", ")),
            n => format!("{n} calls in {seconds:.1} s on {}", self.devices.join(", ")),
        }];
        parts.extend(peak.map(|bytes| format!("peak {} MiB", bytes >> 20)));
        if let Some(python) = &self.python {
            let packages = python.packages.get(..8).unwrap_or_default();
            parts.push(format!("Python {} (packages {packages})", python.version));
        }
        if let Some(commit) = &self.commit {
            let dirty = self.diff.as_ref().map_or("", |_| ", with changes");
            let commit = commit.get(..12).unwrap_or(commit);
            parts.push(format!("commit {commit}{dirty}"));
        }
        parts.join(", ")
    }
}
