//! Noise to images: where a net meets a classifier.

use crate::diffusion::guidance::classifier::ClassifierGuidance;
use crate::diffusion::guidance::rule::Guidance;
use crate::diffusion::random::labels::{Rule, label};
use crate::diffusion::random::noise::Noise;
use crate::experiment::nets::arch::{Arch, Process, Task};
use crate::jobs::context::JobContext;
use crate::jobs::inputs::classes;
use crate::jobs::sample::{PlannedGuidance, SampleJob};
use crate::jobs::sharing::filling::fill;
use crate::kernels::tf32::with_products;
use crate::nets::adm::classifier::Classifier;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::open::denoiser;
use crate::nets::precision::{dtype, products};
use crate::stages::draw::drawer::{Drawer, Drawn, images, open_net};
use crate::stages::weights::Loaded;
use anyhow::{Result, bail, ensure};
use candle_core::Tensor;

/// All that drawing needs, once it is loaded.
struct Sampling<'a> {
    drawer: Drawer<'a>,
    denoiser: Box<dyn Denoiser>,
    classifier: Option<(Classifier, &'a PlannedGuidance)>,
    rule: Rule,
    /// How many classes there are to ask for.
    classes: usize,
    job: &'a SampleJob,
    context: &'a JobContext<'a>,
}

/// Draws what is missing of images 0..count into `images-AAAAAA-BBBBBB.npz`. The nets are opened once there is a part to
/// draw that nobody else draws.
pub fn run(job: &SampleJob, context: &JobContext) -> Result<()> {
    let mut opened = None;
    fill(context, images(&job.sample), &mut |range, made| {
        let sampling = match &opened {
            Some(sampling) => sampling,
            None => opened.insert(Sampling::open(job, context)?),
        };
        let mut draw = |images: &[u64], made| sampling.draw(images, made);
        sampling.drawer.part(range, made, &mut draw)
    })
}

impl<'a> Sampling<'a> {
    fn open(job: &'a SampleJob, context: &'a JobContext) -> Result<Self> {
        let net = open_net(&job.net, context)?;
        ensure!(
            net.arch.task() == Task::Denoise,
            "model.checkpoint is a {}, samples are drawn by a unet",
            net.arch.title()
        );
        let denoiser = denoiser(&net.arch, net.vb.to_dtype(dtype(job.sample.dtype)))?;
        let noise = Noise::new(job.sample.seed);
        let drawer = Drawer::open(
            ("sample", &job.sample),
            &net,
            denoiser.as_ref(),
            noise,
            context,
        )?;
        let mut classes = denoiser.classes();
        let classifier = match &job.guidance {
            Some(pull) => {
                let loaded = open_net(&pull.net, context)?;
                classes = Some(check_guide(&loaded, &net)?);
                let Arch::Classifier(arch) = &loaded.arch else {
                    bail!(
                        "guidance.checkpoint is a {}, guidance needs a classifier",
                        loaded.arch.title()
                    )
                };
                let vb = loaded.vb.to_dtype(dtype(pull.dtype));
                Some((Classifier::new(arch, vb)?, pull))
            }
            None => None,
        };
        let classes = classes.unwrap_or(1);
        Ok(Self {
            drawer,
            denoiser,
            classifier,
            rule: classes::rule(&job.sample.classes, &net.classes, classes)?,
            classes,
            job,
            context,
        })
    }

    /// The images of these indices → u8 [n, h, w, 3], and their labels.
    fn draw(&self, images: &[u64], made: u64) -> Result<Drawn> {
        let (seed, classes) = (self.job.sample.seed, self.classes as u32);
        let labels = images.iter().map(|&i| label(&self.rule, seed, i, classes));
        let labels = labels.collect::<candle_core::Result<Vec<u32>>>()?;
        let y = Tensor::from_slice(&labels, labels.len(), &self.context.device)?;
        let given = Conditions {
            labels: self.denoiser.classes().map(|_| &y),
            ..Conditions::default()
        };
        let answer = |x: &Tensor, t: &Tensor| self.denoiser.denoise(x, t, &given);
        let log_probs = self.classifier.as_ref().map(|(net, pull)| {
            let products = products(pull.dtype);
            let field =
                move |x: &Tensor, t: &Tensor| with_products(products, || net.log_probs(x, t));
            (field, pull.scale)
        });
        let guidance = log_probs
            .as_ref()
            .map(|(field, scale)| ClassifierGuidance::new(*scale, field, &y));
        let guidance = guidance.as_ref().map(|rule| rule as &dyn Guidance);
        let drawn = self.drawer.draw(images, &answer, guidance, made)?;
        Ok((drawn, labels))
    }
}

/// A classifier guides only nets of its own pixels, classes and clock; its number of classes.
fn check_guide(guide: &Loaded, net: &Loaded) -> Result<usize> {
    let Arch::Classifier(arch) = &guide.arch else {
        bail!(
            "guidance.checkpoint is a {}, guidance needs a classifier",
            guide.arch.title()
        )
    };
    let (side, resolution) = (arch.trunk.resolution, net.arch.resolution());
    ensure!(
        side == resolution,
        "the classifier was trained at {side} pixels, the model at {resolution}"
    );
    if let Some(classes) = net.arch.classes() {
        ensure!(
            classes == arch.classes,
            "the classifier knows {} classes, the model {classes}",
            arch.classes
        );
    }
    if let (Some(guide), Some(net)) = (&guide.process, &net.process) {
        let clock = |p: &Process| (p.schedule, p.timesteps, p.rescale_timesteps);
        ensure!(
            clock(guide) == clock(net),
            "the classifier was trained on {:?} noise over {} steps, the model on {:?} over {}",
            guide.schedule,
            guide.timesteps,
            net.schedule,
            net.timesteps
        );
    }
    Ok(arch.classes)
}
