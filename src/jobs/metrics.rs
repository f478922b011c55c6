//! Scoring: features and a reference → `scores.json`.

use crate::experiment::key::Key;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::preset::Preset;
use crate::experiment::scoring::rules::Rules;
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::Result;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq)]
pub struct MetricsJob {
    pub features: Key,
    /// The first `count` images are scored.
    pub count: usize,
    /// The name of the feature net's world, `shapes`.
    pub world: String,
    /// The feature net, which a reference of ours must name too.
    pub weights: Pinned,
    pub reference: Pinned,
    /// Whose rules, where the feature net is a published one.
    pub preset: Preset,
    pub metrics: Vec<Metric>,
}

impl MetricsJob {
    /// The feature net's space.
    pub fn space(&self) -> &'static FeatureSpace {
        FeatureSpace::named(&self.world)
    }
}

impl Plannable for MetricsJob {
    const STAGE: Stage = Stage::Metrics;
    const VERSION: u32 = 6;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs<'a> {
            features: &'a str,
            count: usize,
            world: &'a str,
            extractor: &'a str,
            reference: &'a str,
            /// A preset stands for its rules, so that one that changes makes its scores again.
            #[serde(skip_serializing_if = "Option::is_none")]
            rules: Option<Rules>,
            metrics: Vec<Metric>,
        }
        let mut metrics = self.metrics.clone();
        metrics.sort();
        metrics.dedup();
        let inputs = Inputs {
            features: self.features.full(),
            count: self.count,
            world: &self.world,
            extractor: &self.weights.digest,
            reference: &self.reference.digest,
            rules: self.space().is_published().then(|| self.preset.rules()),
            metrics,
        };
        Key::of(Self::STAGE.name(), Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        vec![self.features.clone()]
    }

    fn wanted(&self) -> Wanted {
        Wanted::default()
    }

    fn cost(&self) -> Cost {
        Cost {
            amount: self.count as f64,
            unit: "images",
        }
    }

    fn inputs(&self) -> Vec<Pinned> {
        let mut files = vec![self.reference.clone()];
        // A reference whose images have to be described goes through the net.
        if self.space().is_published() {
            files.push(self.weights.clone());
        }
        files
    }
}
