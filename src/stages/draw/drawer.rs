//! A net ready to draw, and the parts that it fills: what the two stages of a cell have in common.

use crate::diffusion::guidance::interval::{told, within};
use crate::diffusion::guidance::rule::Guidance;
use crate::diffusion::guidance::strength::Strength;
use crate::diffusion::process::clamp::Clamp;
use crate::diffusion::process::level::Place;
use crate::diffusion::process::posterior::{Field, Output, Reading, mean_half};
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::random::noise::Noise;
use crate::diffusion::samplers::draw::{Recipe, draw, tempered, to_u8};
use crate::diffusion::samplers::method::Method;
use crate::experiment::file::drawing::rules;
use crate::experiment::file::experiment::{Sample, Sampler};
use crate::io::numpy::npz::{self, Array};
use crate::jobs::context::{JobContext, Progress, Stopped};
use crate::jobs::files::parts;
use crate::jobs::files::results;
use crate::jobs::inputs::averages::Average;
use crate::jobs::inputs::distilled;
use crate::jobs::net::{Net, Weights};
use crate::jobs::sample::PlannedGuidance;
use crate::jobs::sharing::filling::Parts;
use crate::kernels::tf32::with_products;
use crate::nets::denoiser::Denoiser;
use crate::nets::precision::products;
use crate::stages::post_hoc;
use crate::stages::weights::{self, Loaded};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use std::ops::{ControlFlow, Range};

/// Noise over signal beyond which a classifier's gradient, as DDIM takes it, says nothing of an image.
const BLIND: f64 = 1000.0;

/// How a net's answers become images.
pub struct Drawer<'a> {
    context: &'a JobContext<'a>,
    sample: &'a Sample,
    output: Output,
    /// The net answers with a variance half that `output` does not read.
    unread_half: bool,
    schedule: Schedule,
    method: Method,
    /// T of the process.
    timesteps: usize,
    /// Pixels a side.
    pub side: usize,
    noise: Noise,
}

/// Images of a batch and their labels.
pub type Drawn = (Tensor, Vec<u32>);

impl<'a> Drawer<'a> {
    /// `table`, `sample` or `upsample`, is where `sample` stands in the file; `noise` is what its images come from.
    pub fn open(
        (table, sample): (&str, &'a Sample),
        net: &Loaded,
        denoiser: &dyn Denoiser,
        noise: Noise,
        context: &'a JobContext,
    ) -> Result<Self> {
        let process = net
            .process
            .as_ref()
            .context("the model names no diffusion process")?;
        distilled::draws(table, sample, net.distilled)?;
        let steps = sample.kept();
        let at = || format!("{table}.steps = {steps}");
        let method = Method::new(sample, process).with_context(at)?;
        let schedule = method.schedule(process, &steps).with_context(at)?;
        let own = Output::of(process, denoiser.answer());
        let output = own.with(sample.variance).context(format!("[{table}]"))?;
        Ok(Self {
            context,
            sample,
            output,
            unread_half: own.learned() && !output.learned(),
            schedule,
            method,
            timesteps: process.timesteps,
            side: denoiser.resolution(),
            noise,
        })
    }

    /// The strength of a rule on the steps of this draw; tells where it guides, if not everywhere.
    pub fn strength(&self, planned: &PlannedGuidance) -> Strength {
        let rule = &planned.rule;
        let levels = self.method.levels(&self.schedule);
        let timestep = self.schedule.clock_of(1);
        let interval = rule.interval.map(|asked| within(asked, &levels, timestep));
        if let Some(interval) = interval {
            self.context.log(&told(interval, &levels, timestep));
        }
        let strength = Strength {
            scale: planned.scale,
            idle: rule.idle(),
            course: rule.course,
            power: rule.power,
            clock: self.schedule.clock_of(self.timesteps),
            interval,
        };
        let level = levels[0];
        let place = Place {
            level,
            begun: level,
            step: 1,
            steps: levels.len(),
        };
        let by_gradient = rule.method == rules::Method::Classifier;
        let ratio = place.level.noise_ratio();
        if self.sample.sampler == Sampler::Ddim
            && by_gradient
            && ratio > BLIND
            && strength.at(&place).is_some()
        {
            self.context.warn(&format!(
                "the first step of guided DDIM stands at timestep {}, where the noise is {ratio:.0} times as strong as the image: the gradient there destroys images (hint: steps = \"ddimN\" leaves that timestep out, and so does guidance.interval)",
                place.level.timestep
            ));
        }
        strength
    }

    pub fn device(&self) -> &Device {
        &self.context.device
    }

    /// Draws the images of `range` into `images-AAAAAA-BBBBBB.npz`, batch by batch. `make` draws those of the indices that
    /// it is given, u8 [n, side, side, 3], and is told how many there are already. Where it is stopped, the batches that
    /// are drawn are kept as a shorter part; the part that is missing then has its batches as they would have been.
    ///
    /// # Errors
    /// Those of `make`; [`Stopped`].
    pub fn part(
        &self,
        range: &Range<u64>,
        mut made: u64,
        make: &mut dyn FnMut(&[u64], u64) -> Result<Drawn>,
    ) -> Result<()> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let mut at = range.start;
        while at < range.end && !self.context.stopped() {
            let end = (at + self.sample.batch as u64).min(range.end);
            let images: Vec<u64> = (at..end).collect();
            let (batch, asked) = make(&images, made)?;
            pixels.extend(batch.flatten_all()?.to_vec1::<u8>()?);
            labels.extend(asked.iter().map(|&l| i64::from(l)));
            made += end - at;
            at = end;
        }
        if at > range.start {
            let (n, side) = (labels.len(), self.side);
            npz::write(
                &parts::path(&self.context.out, "images", &(range.start..at)),
                &[
                    ("arr_0", Array::u8(&[n, side, side, 3], pixels)),
                    ("arr_1", Array::i64(&[n], labels)),
                ],
            )?;
            let (start, count) = (range.start, self.sample.count);
            self.context
                .log(&format!("images {start}..{at} of {count}"));
        }
        if at < range.end {
            return Err(Stopped.into());
        }
        Ok(())
    }

    /// The images of these indices → u8 [n, side, side, 3]; `answer` is the net's, (x, t) → [n, 3 or 6, side, side].
    pub fn draw(
        &self,
        images: &[u64],
        answer: &Field,
        guidance: Option<&dyn Guidance>,
        made: u64,
    ) -> Result<Tensor> {
        let denoise = |x: &Tensor, t: &Tensor| {
            let answer = with_products(products(self.sample.dtype), || answer(x, t))?;
            if self.unread_half {
                mean_half(&answer, x)
            } else {
                Ok(answer)
            }
        };
        let (side, device) = (self.side, &self.context.device);
        let noise = |step: u64| self.noise.tensor(images, step, (3, side, side), device);
        let noise = tempered(self.sample.temperature, noise);
        let recipe = Recipe {
            reading: Reading {
                schedule: &self.schedule,
                output: self.output,
                clamp: clamp(self.sample),
            },
            method: &self.method,
            guidance,
        };
        let (total, steps) = (
            self.sample.count as u64,
            self.method.steps(self.schedule.len()),
        );
        let mut tick = |step: usize| {
            // Counted in whole images, so that a long batch moves the bar too.
            let share = images.len() as u64 * (step as u64 + 1) / steps as u64;
            self.context.tell(Progress {
                done: made + share,
                total,
                unit: "images",
                note: String::new(),
            });
            ControlFlow::Continue(())
        };
        let x =
            draw(&recipe, &denoise, &noise, &mut tick)?.context("nothing stops a draw half-way")?;
        Ok(to_u8(&x)?)
    }
}

/// What is done with an x0 outside of [-1, 1].
fn clamp(sample: &Sample) -> Clamp {
    match sample.threshold {
        Some(share) => Clamp::Dynamic(share),
        None if sample.clip => Clamp::Unit,
        None => Clamp::None,
    }
}

/// The weights of a job's net.
pub fn open_net(net: &Net, context: &JobContext) -> Result<Loaded> {
    let (key, chosen) = match &net.weights {
        Weights::File(file) => return weights::load(&file.path, &net.model, &context.device),
        Weights::Trained(key, chosen) => (key, chosen),
    };
    let folder = context.input(key);
    let path = match &chosen.average {
        Average::First => results::weights(None, chosen.steps),
        Average::Decay(decay) => results::weights(Some(*decay), chosen.steps),
        Average::PostHoc(wanted) => return post_hoc::load(&folder, wanted, &net.model, context),
    };
    weights::load(&folder.join(path), &net.model, &context.device)
}

/// The parts of a batch of images.
pub fn images(sample: &Sample) -> Parts<'static> {
    Parts {
        kind: "images",
        count: sample.count as u64,
        size: sample.part as u64,
    }
}
