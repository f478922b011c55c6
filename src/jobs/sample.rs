//! Drawing: noise → `images-AAAAAA-BBBBBB.npz`.

use crate::experiment::file::drawing::rules::{Method, Rule};
use crate::experiment::file::drawing::samplers::UNI_PC_ORDER;
use crate::experiment::file::experiment::{
    Precision, Sample, Sampler, Spacing, Steps, VarianceRule,
};
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

/// How a cell is guided.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedGuidance {
    /// The classifier, or the second net; none where the net itself gives the second answer.
    pub net: Option<Net>,
    /// The factor on a gradient, or w of u + w (c - u).
    pub scale: f64,
    pub rule: Rule,
    /// What the net's blocks are calculated in.
    pub dtype: Precision,
    /// Share of the sampled net's evaluations that are guided, 0 to 1; follows from the rest.
    pub share: f64,
}

impl SampleJob {
    /// Evaluations of the sampled net for its own answers, for all images.
    pub fn evaluations(&self) -> f64 {
        cost(&self.sample).amount
    }

    /// Times that a classifier's gradient is taken, for all images.
    pub fn gradients(&self) -> f64 {
        match &self.guidance {
            Some(guidance) if guidance.rule.method == Method::Classifier => {
                self.evaluations() * guidance.share
            }
            _ => 0.0,
        }
    }

    fn nets(&self) -> impl Iterator<Item = &Net> {
        let guide = self
            .guidance
            .iter()
            .filter_map(|guidance| guidance.net.as_ref());
        [&self.net].into_iter().chain(guide)
    }
}

impl Plannable for SampleJob {
    const STAGE: Stage = Stage::Sample;
    const VERSION: u32 = 2;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Guide {
            #[serde(skip_serializing_if = "Option::is_none")]
            net: Option<ModelInputs>,
            scale: f64,
            #[serde(skip_serializing_if = "Precision::is_f32")]
            dtype: Precision,
            #[serde(flatten)]
            rule: Rule,
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
                net: guidance.net.as_ref().map(Net::inputs).transpose()?,
                scale: guidance.scale,
                dtype: guidance.dtype,
                rule: guidance.rule.clone(),
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
        let second = match &self.guidance {
            Some(guidance) if guidance.rule.method != Method::Classifier => guidance.share,
            _ => 0.0,
        };
        Cost {
            amount: self.evaluations() * (1.0 + second),
            unit: "evals",
        }
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

/// Evaluations of the denoising net, for all images.
pub(crate) fn cost(sample: &Sample) -> Cost {
    let evaluations = sample.evaluations().unwrap_or(1);
    Cost {
        amount: sample.count as f64 * evaluations as f64,
        unit: "evals",
    }
}

/// How images are drawn, without what cannot change them: such values must not reach a key.
pub(crate) fn without_idle(sample: &Sample, net: &ModelInputs) -> Sample {
    let mut sample = sample.clone();
    (sample.count, sample.batch, sample.part) = (0, 0, 0);
    // The key of the net's weights already says after how many steps of training they were kept, and which average they are.
    (sample.trained_steps, sample.ema, sample.ema_length) = (None, None, None);
    if sample.sampler != Sampler::Ddim {
        sample.eta = 0.0;
    }
    let own = Spacing::of(sample.sampler.levels()).first();
    sample.spacing = sample.spacing.filter(|spacing| Some(spacing) != own);
    sample.order = sample.order.filter(|&order| order != UNI_PC_ORDER);
    if sample.churn == 0.0 {
        sample.churn_sigmas = None;
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
