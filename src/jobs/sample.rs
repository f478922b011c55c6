//! Drawing: noise → `images-AAAAAA-BBBBBB.npz`.

use crate::experiment::check::values::kept;
use crate::experiment::file::experiment::{Precision, Sample, Sampler, Steps, VarianceRule};
use crate::experiment::key::Key;
use crate::experiment::nets::arch::{Answer, Arch};
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::net::{ModelInputs, Net};
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::Result;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq)]
pub struct SampleJob {
    pub net: Net,
    /// None when the scale is 0, so that such a cell shares the unguided images.
    pub guidance: Option<PlannedGuidance>,
    pub sample: Sample,
}

/// A classifier, how much its gradient counts, and what it is calculated in.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedGuidance {
    pub net: Net,
    pub scale: f64,
    pub dtype: Precision,
}

impl SampleJob {
    fn nets(&self) -> impl Iterator<Item = &Net> {
        let guide = self.guidance.iter().map(|guidance| &guidance.net);
        [&self.net].into_iter().chain(guide)
    }
}

impl Plannable for SampleJob {
    const STAGE: Stage = Stage::Sample;
    const VERSION: u32 = 2;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Guide {
            net: ModelInputs,
            scale: f64,
            #[serde(skip_serializing_if = "Precision::is_f32")]
            dtype: Precision,
        }
        #[derive(Serialize)]
        struct Inputs {
            net: ModelInputs,
            #[serde(skip_serializing_if = "Option::is_none")]
            guidance: Option<Guide>,
            sample: Sample,
        }
        let guide = |guidance: &PlannedGuidance| -> Result<Guide> {
            Ok(Guide {
                net: guidance.net.inputs()?,
                scale: guidance.scale,
                dtype: guidance.dtype,
            })
        };
        let net = self.net.inputs()?;
        let inputs = Inputs {
            sample: without_idle(&self.sample, &net),
            net,
            guidance: self.guidance.as_ref().map(guide).transpose()?,
        };
        Key::of(Self::STAGE.name(), Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        self.nets().filter_map(Net::training).cloned().collect()
    }

    fn wanted(&self) -> Wanted {
        wanted(&self.sample)
    }

    fn cost(&self) -> Cost {
        cost(&self.sample)
    }

    fn inputs(&self) -> Vec<Pinned> {
        self.nets().filter_map(Net::file).cloned().collect()
    }
}

/// Every image that the table asks for.
pub(crate) fn wanted(sample: &Sample) -> Wanted {
    Wanted {
        count: Some(sample.count),
        copies: vec![],
    }
}

/// Network evaluations of one image, for all images.
pub(crate) fn cost(sample: &Sample) -> Cost {
    let steps = match &sample.steps {
        Steps::Count(count) => *count,
        Steps::Sections(text) => kept("sample", text).unwrap_or(1),
    };
    Cost {
        amount: sample.count as f64 * steps as f64,
        unit: "evals",
    }
}

/// How images are drawn, without what cannot change them: such values must not reach a key.
pub(crate) fn without_idle(sample: &Sample, net: &ModelInputs) -> Sample {
    let mut sample = sample.clone();
    (sample.count, sample.batch, sample.part) = (0, 0, 0);
    // The key of the net's weights already says after how many steps of training they were kept.
    sample.trained_steps = None;
    if sample.sampler == Sampler::Ddpm {
        sample.eta = 0.0;
    }
    if let Steps::Sections(text) = &sample.steps
        && let Ok(count) = text.trim().parse()
    {
        sample.steps = Steps::Count(count);
    }
    // "learned" names what a net with a learned variance does anyway; for another net it is an error, found elsewhere.
    sample.variance = sample.variance.filter(|v| *v != VarianceRule::Learned);
    if net.net.as_ref().and_then(Arch::answer) == Some(Answer::Mean) {
        sample.variance = sample.variance.filter(|v| *v != VarianceRule::FixedLarge);
    }
    sample
}
