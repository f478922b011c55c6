//! Noise to images: where a net meets what guides it.

use crate::diffusion::random::labels::{Rule, label};
use crate::diffusion::random::noise::Noise;
use crate::experiment::nets::arch::Task;
use crate::jobs::context::JobContext;
use crate::jobs::inputs::classes;
use crate::jobs::sample::SampleJob;
use crate::jobs::sharing::filling::fill;
use crate::nets::attention::Attention;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::open::denoiser;
use crate::nets::precision::{dtype, products};
use crate::stages::draw::drawer::{Drawer, Drawn, images, open_net};
use crate::stages::draw::guides::{Guide, GuidedBatch};
use anyhow::{Result, ensure};
use candle_core::Tensor;
use std::cell::OnceCell;

/// All that drawing needs, once it is loaded.
struct Sampling<'a> {
    drawer: Drawer<'a>,
    denoiser: Box<dyn Denoiser>,
    guide: Option<Guide<'a>>,
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
        let guide = match &job.guidance {
            Some(planned) => {
                let strength = drawer.strength(planned);
                let guide = Guide::open(planned, strength, &net, denoiser.as_ref(), context)?;
                Some(guide)
            }
            None => None,
        };
        let guided = guide.as_ref().and_then(|guide| guide.classes);
        let classes = guided.or(denoiser.classes()).unwrap_or(1);
        Ok(Self {
            drawer,
            denoiser,
            guide,
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
        let probe = self.guide.as_ref().and_then(Guide::probe);
        let given = Conditions {
            labels: self.denoiser.classes().map(|_| &y),
            attention: probe.as_ref().map(Attention::Kept),
            ..Conditions::default()
        };
        let answer = |x: &Tensor, t: &Tensor| self.denoiser.denoise(x, t, &given);
        let drawn = match &self.guide {
            None => self.drawer.draw(images, &answer, None, made)?,
            Some(guide) => {
                let batch = GuidedBatch {
                    denoiser: self.denoiser.as_ref(),
                    images,
                    labels: &y,
                    seed,
                    probe: probe.as_ref(),
                    products: products(self.job.sample.dtype),
                    null_labels: OnceCell::new(),
                };
                guide.rule(&batch, |rule| {
                    self.drawer.draw(images, &answer, Some(rule), made)
                })?
            }
        };
        Ok((drawn, labels))
    }
}
