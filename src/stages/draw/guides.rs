//! What guides a cell, once its nets are open: a classifier's gradient, or a second answer of a denoiser.

use crate::diffusion::guidance::classifier::{
    ClassifierGuidance, class_gradient, entropy_scaled_gradient,
};
use crate::diffusion::guidance::combined::{Combined, Form};
use crate::diffusion::guidance::rule::{Guidance, Point};
use crate::diffusion::guidance::strength::Strength;
use crate::diffusion::random::labels::{Rule, label};
use crate::experiment::file::drawing::rules::{Form as FormName, Method, Null};
use crate::experiment::nets::arch::{Arch, Process, Task};
use crate::jobs::context::JobContext;
use crate::jobs::sample::PlannedGuidance;
use crate::kernels::tf32::{Products, with_products};
use crate::nets::adm::classifier::Classifier;
use crate::nets::attention::{Attention, Probe};
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::open::denoiser;
use crate::nets::precision::{dtype, products};
use crate::stages::draw::degraded::Degraded;
use crate::stages::draw::drawer::open_net;
use crate::stages::weights::Loaded;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use std::cell::OnceCell;

/// Where the second answer comes from.
enum Source {
    Classifier(Classifier),
    /// A net of its own: a weaker one, or one without classes.
    Net(Box<dyn Denoiser>),
    /// The sampled net, asked for no class.
    Own(Null),
    /// The sampled net, by way of its attention.
    Attention(Degraded),
}

/// The rule of a cell, for all its batches.
pub struct Guide<'a> {
    planned: &'a PlannedGuidance,
    source: Source,
    strength: Strength,
    /// How many classes there are to ask for, where a classifier says it.
    pub classes: Option<usize>,
}

/// A batch that is guided.
pub struct GuidedBatch<'a> {
    pub denoiser: &'a dyn Denoiser,
    /// `[n]`, the numbers of the images.
    pub images: &'a [u64],
    /// `[n]` u32
    pub labels: &'a Tensor,
    pub seed: u64,
    /// What the denoiser keeps of its answers, where [`Guide::probe`] asks for it.
    pub probe: Option<&'a Probe>,
    /// How the denoiser multiplies.
    pub products: Products,
    /// `[n]` u32, the label that stands for no class, once it was asked for.
    pub null_labels: OnceCell<Tensor>,
}

impl<'a> Guide<'a> {
    /// Opens what guides `net`; `strength` is that of the plan on the steps of the draw.
    ///
    /// # Errors
    /// Weights that cannot be read, and a net that does not fit the sampled one.
    pub fn open(
        planned: &'a PlannedGuidance,
        strength: Strength,
        net: &Loaded,
        sampled: &dyn Denoiser,
        context: &JobContext,
    ) -> Result<Self> {
        let loaded = planned.net.as_ref().map(|net| open_net(net, context));
        let loaded = loaded.transpose()?;
        let mut classes = None;
        let source = match (loaded, planned.rule.method) {
            (Some(loaded), Method::Classifier) => {
                let Arch::Classifier(arch) = &loaded.arch else {
                    bail!(
                        "guidance.checkpoint is a {}, and method = \"classifier\" needs a classifier\nhint: set guidance.method = \"classifier-free\" or \"autoguidance\" for a denoiser",
                        loaded.arch.title()
                    )
                };
                fits(&loaded, net, "classifier")?;
                if let Some(known) = net.arch.classes() {
                    ensure!(
                        known == arch.classes,
                        "the classifier knows {} classes, the model {known}",
                        arch.classes
                    );
                }
                classes = Some(arch.classes);
                let vb = loaded.vb.to_dtype(dtype(planned.dtype));
                Source::Classifier(Classifier::new(arch, vb)?)
            }
            (Some(loaded), method) => Source::Net(second(&loaded, net, method, planned)?),
            (None, _) => match Degraded::of(&planned.rule, &net.arch)? {
                Some(degraded) => Source::Attention(degraded),
                None => Source::Own(own(planned, sampled)?),
            },
        };
        Ok(Self {
            planned,
            source,
            strength,
            classes,
        })
    }

    /// What the sampled net is to keep of its answers for one batch.
    pub fn probe(&self) -> Option<Probe> {
        match &self.source {
            Source::Attention(degraded) => degraded.probe(),
            _ => None,
        }
    }

    /// What `with` makes of the rule for one batch.
    ///
    /// # Errors
    /// Those of `with`.
    pub fn rule<T>(
        &self,
        batch: &GuidedBatch,
        with: impl FnOnce(&dyn Guidance) -> Result<T>,
    ) -> Result<T> {
        let products = products(self.planned.dtype);
        if let Source::Classifier(net) = &self.source {
            let log_probs =
                |x: &Tensor, t: &Tensor| with_products(products, || net.log_probs(x, t));
            let gradient = |x: &Tensor, t: &Tensor| {
                if self.planned.rule.entropy {
                    entropy_scaled_gradient(&log_probs, batch.labels, x, t)
                } else {
                    class_gradient(&log_probs, batch.labels, x, t)
                }
            };
            let rule = ClassifierGuidance::with_gradient(self.planned.scale, gradient);
            return with(&rule.with_strength(self.strength));
        }
        let other = |point: &Point, first: &Tensor| match &self.source {
            Source::Net(net) => with_products(products, || {
                let given = Conditions {
                    labels: net.classes().map(|_| batch.labels),
                    ..Conditions::default()
                };
                net.denoise(point.x, point.t, &given)
            }),
            Source::Own(null) => {
                with_products(batch.products, || batch.without_class(*null, point))
            }
            Source::Attention(degraded) => {
                let ask = |x: &Tensor, t: &Tensor, asked: Option<Attention>| batch.ask(x, t, asked);
                degraded.answer(point, first, batch.probe, &ask)
            }
            Source::Classifier(_) => candle_core::bail!("a classifier gives no second answer"),
        };
        let rule = &self.planned.rule;
        let form = match (rule.form, rule.apg.unwrap_or_default()) {
            (FormName::Plain, _) => Form::Plain,
            (FormName::PlusPlus, _) => Form::PlusPlus,
            (FormName::ZeroStar, _) => Form::ZeroStar,
            (FormName::Apg, apg) => Form::Apg(apg),
        };
        with(&Combined::new(self.strength, form, rule.rescale, &other))
    }
}

impl GuidedBatch<'_> {
    /// The sampled net's answer for the classes of the batch.
    fn ask(
        &self,
        x: &Tensor,
        t: &Tensor,
        attention: Option<Attention>,
    ) -> candle_core::Result<Tensor> {
        let given = Conditions {
            labels: self.denoiser.classes().map(|_| self.labels),
            attention,
            ..Conditions::default()
        };
        with_products(self.products, || self.denoiser.denoise(x, t, &given))
    }

    /// The sampled net's answer when it is asked for no class.
    fn without_class(&self, null: Null, point: &Point) -> candle_core::Result<Tensor> {
        let device = point.x.device();
        let labels = match (null, self.denoiser.null_class()) {
            (Null::Class, Some(null)) => Some(self.all_of(null, device)?),
            (Null::Random, _) => Some(self.random(point.place.step, device)?),
            _ => None,
        };
        let given = Conditions {
            labels: labels.as_ref(),
            without_class: labels.is_none(),
            ..Conditions::default()
        };
        self.denoiser.denoise(point.x, point.t, &given)
    }

    /// One label for all images: one tensor for the whole draw, so that a net looks at it once.
    fn all_of(&self, label: u32, device: &Device) -> candle_core::Result<Tensor> {
        if let Some(labels) = self.null_labels.get() {
            return Ok(labels.clone());
        }
        let labels = Tensor::full(label, self.images.len(), device)?;
        Ok(self.null_labels.get_or_init(|| labels).clone())
    }

    /// A class for each image: a fresh one at each step, and the same in any batch.
    fn random(&self, step: usize, device: &Device) -> candle_core::Result<Tensor> {
        let classes = self.denoiser.classes().unwrap_or(1) as u32;
        let seed = self.seed.wrapping_add((step as u64) << 32);
        let of = |&image: &u64| label(&Rule::Random, seed, image, classes);
        let labels = self.images.iter().map(of);
        let labels = labels.collect::<candle_core::Result<Vec<u32>>>()?;
        let count = labels.len();
        Tensor::from_vec(labels, count, device)
    }
}

/// A second net that fits the sampled one.
fn second(
    guide: &Loaded,
    net: &Loaded,
    method: Method,
    planned: &PlannedGuidance,
) -> Result<Box<dyn Denoiser>> {
    ensure!(
        guide.arch.task() == Task::Denoise,
        "guidance.checkpoint is a {}, and a second answer needs a unet\nhint: set guidance.method = \"classifier\" for a classifier",
        guide.arch.title()
    );
    fits(guide, net, "second net")?;
    let (known, own) = (guide.arch.classes(), net.arch.classes());
    match method {
        Method::ClassifierFree => ensure!(
            known.is_none(),
            "the second net knows {} classes, and classifier-free guidance needs one without any\nhint: `guidance.null` asks the sampled net itself; method = \"autoguidance\" is guidance by a weaker net with classes",
            known.unwrap_or(0)
        ),
        _ => ensure!(
            known == own,
            "autoguidance asks both nets for the same class, and the second net knows {}, the model {}",
            counted(known),
            counted(own)
        ),
    }
    denoiser(&guide.arch, guide.vb.to_dtype(dtype(planned.dtype)))
        .context("the second net of [guidance]")
}

/// What the sampled net is asked for as no class.
fn own(planned: &PlannedGuidance, sampled: &dyn Denoiser) -> Result<Null> {
    let null = planned.rule.null.unwrap_or(Null::Class);
    ensure!(
        sampled.classes().is_some(),
        "classifier-free guidance needs a model that knows classes, and this one knows none"
    );
    ensure!(
        null != Null::Class || sampled.null_class().is_some(),
        "the model has no class that stands for none\nhint: train it with `label_dropout`, or set guidance.null = \"zero\" or \"random\", or name an unconditional net with `guidance.checkpoint`"
    );
    Ok(null)
}

fn counted(classes: Option<usize>) -> String {
    match classes {
        Some(classes) => format!("{classes} classes"),
        None => "no class".to_string(),
    }
}

/// A net guides only nets of its own pixels and clock, and a second answer must mean the same.
fn fits(guide: &Loaded, net: &Loaded, what: &str) -> Result<()> {
    let (side, resolution) = (guide.arch.resolution(), net.arch.resolution());
    ensure!(
        side == resolution,
        "the {what} was trained at {side} pixels, the model at {resolution}"
    );
    ensure!(
        guide.arch.task() != Task::Denoise || guide.distilled == net.distilled,
        "of the {what} and the model one was distilled for other steps than the other; their answers cannot be combined"
    );
    let (Some(guide_process), Some(process)) = (&guide.process, &net.process) else {
        return Ok(());
    };
    let clock = |p: &Process| (p.schedule, p.timesteps, p.rescale_timesteps);
    ensure!(
        clock(guide_process) == clock(process),
        "the {what} was trained on {:?} noise over {} steps, the model on {:?} over {}",
        guide_process.schedule,
        guide_process.timesteps,
        process.schedule,
        process.timesteps
    );
    ensure!(
        guide.arch.task() != Task::Denoise || guide_process.predict == process.predict,
        "the {what} predicts {}, the model {}; their answers cannot be combined",
        guide_process.predict.title(),
        process.predict.title()
    );
    Ok(())
}
