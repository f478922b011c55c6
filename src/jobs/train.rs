//! A training: images → `model.safetensors`.

use crate::experiment::file::experiment::{Labels, Model, Train};
use crate::experiment::key::Key;
use crate::experiment::nets::resolve::resolve;
use crate::jobs::inputs::distilled;
use crate::jobs::inputs::pinned::{Pinned, digest_data, pinned};
use crate::jobs::net::ModelInputs;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::{Result, ensure};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq)]
pub struct TrainJob {
    pub model: Model,
    pub train: Train,
    /// None for images that are drawn by rule, such as `shapes`.
    pub data_digest: Option<String>,
    /// `train.start_from`.
    pub start: Option<Pinned>,
    /// `train.label_features`.
    pub label_features: Option<Pinned>,
    /// `train.distill.teacher`.
    pub teacher: Option<Pinned>,
}

impl TrainJob {
    /// What the table `table` (`train` or `guidance.train`) asks for.
    ///
    /// # Errors
    /// A file that it names and that cannot be read; a teacher that cannot teach `model`.
    pub fn of_table(table: &str, model: Model, train: &Train) -> Result<TrainJob> {
        let file = |key: &str, path: &Option<PathBuf>| {
            let path = path.as_deref();
            path.map(|path| pinned(&format!("{table}.{key}"), path))
                .transpose()
        };
        let model = model.trained_by(train);
        if let Some(labels) = train.labels {
            check_labels(table, labels, &model)?;
        }
        let distill = train.distill.as_ref();
        let teacher = distill.map(|distill| {
            let file = pinned(&format!("{table}.distill.teacher"), &distill.teacher)?;
            distilled::check_teacher(&model, distill, &file)?;
            anyhow::Ok(file)
        });
        Ok(TrainJob {
            model,
            train: train.clone(),
            data_digest: digest_data(&train.data)?,
            start: file("start_from", &train.start_from)?,
            label_features: file("label_features", &train.label_features)?,
            teacher: teacher.transpose()?,
        })
    }
}

/// That a net knows as many classes as there are clusters.
fn check_labels(table: &str, labels: Labels, model: &Model) -> Result<()> {
    let (count, known) = (labels.count(), resolve(model, None)?.0.classes());
    ensure!(
        known == Some(count),
        "{table}.labels = \"{labels}\" are {count} classes, and the net knows {}\nhint: set `arch.classes = {count}` of the net, or another number of clusters",
        known.map_or("none".to_string(), |known| known.to_string())
    );
    Ok(())
}

impl Plannable for TrainJob {
    const STAGE: Stage = Stage::Train;
    const VERSION: u32 = 2;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs {
            net: ModelInputs,
            train: Train,
            #[serde(skip_serializing_if = "Option::is_none")]
            start: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            label_features: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            teacher: Option<String>,
        }
        let mut train = self.train.clone();
        train.checkpoint_every = 0;
        (train.export, train.start_from, train.label_features) = (None, None, None);
        train.ema = train.ema.plain();
        // The whole batch at once, as where nothing is said.
        train.microbatch = train.microbatch.filter(|images| *images != train.batch);
        if let Some(distill) = &mut train.distill {
            distill.teacher = PathBuf::new();
        }
        if let Some(digest) = &self.data_digest {
            train.data = digest.clone();
        }
        let net = ModelInputs::of(&self.model, None)?;
        let digest = |file: &Option<Pinned>| file.as_ref().map(|file| file.digest.clone());
        let inputs = Inputs {
            net,
            train,
            start: digest(&self.start),
            label_features: digest(&self.label_features),
            teacher: digest(&self.teacher),
        };
        Key::of(Self::STAGE.name(), Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        vec![]
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            count: None,
            copies: self.train.export.iter().cloned().collect(),
        }
    }

    fn cost(&self) -> Cost {
        Cost {
            amount: self.train.updates() as f64,
            unit: "steps",
        }
    }

    fn inputs(&self) -> Vec<Pinned> {
        let files = self.start.iter().chain(&self.label_features);
        files.chain(&self.teacher).cloned().collect()
    }
}
