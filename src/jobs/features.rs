//! Extraction of features: images → `features-AAAAAA-BBBBBB.npz`.

use crate::experiment::key::Key;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::rules::Preprocessing;
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::Result;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq)]
pub struct FeaturesJob {
    pub samples: Key,
    pub count: usize,
    /// The name of the feature net's world, `shapes`.
    pub world: String,
    pub weights: Pinned,
    /// How images are resized for a published network; nets trained here take them as they are.
    pub preprocessing: Preprocessing,
}

impl Plannable for FeaturesJob {
    const STAGE: Stage = Stage::Features;
    const VERSION: u32 = 2;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs<'a> {
            samples: &'a str,
            weights: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            preprocessing: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            layout: Option<u32>,
        }
        let space = FeatureSpace::named(&self.world);
        let resized = space.resizing(self.preprocessing);
        let inputs = Inputs {
            samples: self.samples.full(),
            weights: &self.weights.digest,
            preprocessing: resized.map(Preprocessing::name),
            layout: space.layout,
        };
        Key::of(Self::STAGE.name(), Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        vec![self.samples.clone()]
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            count: Some(self.count),
            copies: vec![],
        }
    }

    fn cost(&self) -> Cost {
        Cost {
            amount: self.count as f64,
            unit: "images",
        }
    }

    fn inputs(&self) -> Vec<Pinned> {
        vec![self.weights.clone()]
    }
}
