//! Images out of a trained denoiser, without an experiment file.

use crate::diffusion::process::clamp::Clamp;
use crate::diffusion::process::posterior::{Output, Reading};
use crate::diffusion::random::labels::{Rule, label};
use crate::diffusion::random::noise::Noise;
use crate::diffusion::samplers::draw::{Recipe, draw, to_u8};
use crate::diffusion::samplers::method::Method;
use crate::experiment::file::experiment::{Model, Sample, Sampler, Steps};
use crate::experiment::nets::arch::{Process, Task};
use crate::io::image::pixels::Rgb8;
use crate::jobs::inputs::distilled;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::open::denoiser;
use crate::stages::weights;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use std::ops::ControlFlow;
use std::path::Path;

/// A denoiser that is ready to draw.
pub struct Generator {
    net: Box<dyn Denoiser>,
    process: Process,
    classes: Vec<String>,
    distilled: Option<usize>,
    device: Device,
}

/// What to draw. Image i of a seed is the same image whatever else is drawn, and the image that `runner sweep` draws.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// Images 0..count.
    pub count: u64,
    pub seed: u64,
    /// Timesteps that are kept of the process: `250`, ADM's `ddim25` and `10,10,20`, or `trailing4`, evenly down from the
    /// last, for a net that was distilled for 4 steps.
    pub steps: String,
    pub sampler: Sampler,
    /// The class of every image; image i is of class i mod the number of classes where it is None.
    pub class: Option<u32>,
}

impl Generator {
    /// Opens a checkpoint of `runner`, or, where `preset` says what it is, one of guided-diffusion's.
    ///
    /// # Errors
    /// A file that cannot be read, does not fit the preset, or holds no denoiser that starts from noise alone.
    pub fn open(checkpoint: &Path, preset: Option<&str>, device: &Device) -> Result<Generator> {
        let model = Model {
            preset: preset.map(String::from),
            ..Model::default()
        };
        let loaded = weights::load(checkpoint, &model, device)?;
        ensure!(
            loaded.arch.task() == Task::Denoise,
            "{} is a {}, and images are drawn by a unet",
            checkpoint.display(),
            loaded.arch.title()
        );
        let process = loaded.process.clone();
        Ok(Generator {
            net: denoiser(&loaded.arch, loaded.vb.clone())?,
            process: process.context("the model names no diffusion process")?,
            classes: loaded.classes,
            distilled: loaded.distilled,
            device: device.clone(),
        })
    }

    /// Class names by label; none where the checkpoint does not say.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The images, in order.
    ///
    /// # Errors
    /// Steps that the process does not have, a class that the net does not know, and answers that are not finite.
    pub fn draw(&self, drawing: &Drawing) -> Result<Vec<Rgb8>> {
        let at = || format!("steps = {}", drawing.steps);
        let asked = Steps::Sections(drawing.steps.clone());
        let sample = Sample::plain(drawing.sampler, asked, drawing.count as usize);
        distilled::draws("sample", &sample, self.distilled)?;
        let method = Method::new(&sample, &self.process).with_context(at)?;
        let schedule = method
            .schedule(&self.process, &drawing.steps)
            .with_context(at)?;
        let images: Vec<u64> = (0..drawing.count).collect();
        let labels = self.labels(drawing, &images)?;
        let given = Conditions {
            labels: labels.as_ref(),
            ..Conditions::default()
        };
        let answer = |x: &Tensor, t: &Tensor| self.net.denoise(x, t, &given);
        let side = self.net.resolution();
        let noise = Noise::new(drawing.seed);
        let noise = |step: u64| noise.tensor(&images, step, (3, side, side), &self.device);
        let recipe = Recipe {
            reading: Reading {
                schedule: &schedule,
                output: Output::of(&self.process, self.net.answer()),
                clamp: Clamp::Unit,
            },
            method: &method,
            guidance: None,
        };
        let drawn = draw(&recipe, &answer, &noise, &mut |_| ControlFlow::Continue(()))?;
        let drawn = drawn.context("drawing was broken off")?;
        let pixels = to_u8(&drawn)?.flatten_all()?.to_vec1::<u8>()?;
        let each = pixels.chunks_exact(3 * side * side);
        let image = |data: &[u8]| Rgb8 {
            w: side,
            h: side,
            data: data.to_vec(),
        };
        Ok(each.map(image).collect())
    }

    fn labels(&self, drawing: &Drawing, images: &[u64]) -> Result<Option<Tensor>> {
        let Some(classes) = self.net.classes() else {
            ensure!(
                drawing.class.is_none(),
                "the net knows no classes, and one was asked for"
            );
            return Ok(None);
        };
        let rule = match drawing.class {
            Some(class) => Rule::Cycle(vec![class]),
            None => Rule::Balanced,
        };
        let labels = images
            .iter()
            .map(|&image| label(&rule, drawing.seed, image, classes as u32));
        let labels = labels.collect::<candle_core::Result<Vec<u32>>>()?;
        let count = labels.len();
        Ok(Some(Tensor::from_vec(labels, count, &self.device)?))
    }
}
