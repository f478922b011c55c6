//! A net that a job uses: what it is, where its weights come from, and what of it reaches a key.

use crate::experiment::file::experiment::{ArchChanges, Kind, Model, ProcessChanges};
use crate::experiment::key::Key;
use crate::experiment::nets::arch::{Arch, Process};
use crate::experiment::nets::resolve::resolve;
use crate::jobs::inputs::averages::Chosen;
use crate::jobs::inputs::pinned::Pinned;
use anyhow::Result;
use serde::Serialize;

/// Where a net's weights come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    File(Pinned),
    /// Of the training with this key.
    Trained(Key, Chosen),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    pub model: Model,
    pub weights: Weights,
}

impl Net {
    /// The training whose result it is, where a job of the sweep makes it.
    pub fn training(&self) -> Option<&Key> {
        match &self.weights {
            Weights::Trained(key, _) => Some(key),
            Weights::File(_) => None,
        }
    }

    /// The file of its weights, where they are not made by a job of the sweep.
    pub fn file(&self) -> Option<&Pinned> {
        match &self.weights {
            Weights::File(file) => Some(file),
            Weights::Trained(..) => None,
        }
    }

    pub(crate) fn inputs(&self) -> Result<ModelInputs> {
        let weights = match &self.weights {
            Weights::File(file) => file.digest.clone(),
            Weights::Trained(key, chosen) => format!("{}{}", key.full(), chosen.text()),
        };
        ModelInputs::of(&self.model, Some(weights))
    }
}

/// What of a model reaches a key. A preset stands for what it means, so that it may be renamed but not silently
/// changed; a checkpoint is named by digest, not by path, and its own card is part of its bytes.
#[derive(Serialize)]
pub(crate) struct ModelInputs {
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) net: Option<Arch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Process>,
    #[serde(skip_serializing_if = "ArchChanges::is_empty")]
    net_changes: ArchChanges,
    #[serde(skip_serializing_if = "ProcessChanges::is_empty")]
    process_changes: ProcessChanges,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<String>,
}

impl ModelInputs {
    pub(crate) fn of(model: &Model, weights: Option<String>) -> Result<ModelInputs> {
        let mut inputs = ModelInputs {
            kind: model.kind,
            net: None,
            process: None,
            net_changes: ArchChanges::default(),
            process_changes: ProcessChanges::default(),
            weights,
        };
        if model.preset.is_some() || inputs.weights.is_none() {
            let (net, process) = resolve(model, None)?;
            (inputs.net, inputs.process) = (Some(net), process);
        } else {
            inputs.net_changes = model.arch.clone();
            inputs.process_changes = model.process.written();
        }
        Ok(inputs)
    }
}
