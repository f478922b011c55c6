//! Noise to images: the one place where a net, a classifier and a schedule meet.

use crate::diffusion::guidance::Guide;
use crate::diffusion::labels::{Rule, label};
use crate::diffusion::noise::Noise;
use crate::diffusion::posterior::{Output, Reading, mean_half};
use crate::diffusion::sampler::{Recipe, draw, tempered, to_u8};
use crate::diffusion::schedule::Schedule;
use crate::io::npz::{self, Array};
use crate::nets::classifier::Classifier;
use crate::nets::unet::Unet;
use crate::spec::arch::Arch;
use crate::spec::experiment::{Sample, Steps};
use crate::stages::asked;
use crate::stages::bench::{Bench, Progress, Stopped};
use crate::stages::job::{Net, SampleJob, Weights};
use crate::stages::parts;
use crate::stages::weights::{self, Loaded};
use anyhow::{Context, Result, bail, ensure};
use candle_core::Tensor;
use std::ops::{ControlFlow, Range};

/// All that drawing needs, once it is loaded.
struct Studio<'a> {
    bench: &'a Bench<'a>,
    sample: &'a Sample,
    unet: Unet,
    output: Output,
    /// The net answers with a variance half that `output` does not read.
    unread_half: bool,
    schedule: Schedule,
    classifier: Option<(Classifier, f64)>,
    rule: Rule,
    /// How many classes there are to ask for.
    classes: usize,
    resolution: usize,
}

/// Draws what is missing of images 0..count into `images-AAAAAA-BBBBBB.npz`.
pub fn run(job: &SampleJob, bench: &Bench) -> Result<()> {
    let sample = &job.sample;
    let ranges = parts::missing(
        &parts::present(&bench.out, "images")?,
        sample.count as u64,
        sample.part as u64,
    );
    let studio = Studio::open(job, bench)?;
    let todo: u64 = ranges.iter().map(|r| r.end - r.start).sum();
    let mut made = sample.count as u64 - todo;
    for range in ranges {
        if bench.stopped() {
            return Err(Stopped.into());
        }
        let (pixels, labels) = studio.part(&range, &mut made)?;
        let side = studio.resolution;
        let n = (range.end - range.start) as usize;
        let path = parts::path(&bench.out, "images", &range);
        npz::write(
            &path,
            &[
                ("arr_0", Array::u8(&[n, side, side, 3], pixels)),
                ("arr_1", Array::i64(&[n], labels)),
            ],
        )?;
        bench.log(&format!(
            "images {}..{} of {}",
            range.start, range.end, sample.count
        ));
    }
    Ok(())
}

impl<'a> Studio<'a> {
    fn open(job: &'a SampleJob, bench: &'a Bench) -> Result<Self> {
        let net = open_net(&job.net, bench)?;
        let Arch::Unet(arch) = &net.arch else {
            bail!(
                "model.checkpoint is a {}, samples are drawn by a unet",
                kind(&net.arch)
            )
        };
        let process = net
            .process
            .as_ref()
            .context("the model names no diffusion process")?;
        let steps = match &job.sample.steps {
            Steps::Count(n) => n.to_string(),
            Steps::Sections(text) => text.clone(),
        };
        let schedule =
            Schedule::new(process, &steps).with_context(|| format!("sample.steps = {steps}"))?;
        let resolution = arch.trunk.resolution;
        let mut classes = arch.classes;
        let classifier = match &job.guidance {
            Some((guide, scale)) => {
                let loaded = open_net(guide, bench)?;
                classes = Some(check_guide(&loaded, &net, resolution)?);
                let Arch::Classifier(arch) = &loaded.arch else {
                    bail!(
                        "guidance.checkpoint is a {}, guidance needs a classifier",
                        kind(&loaded.arch)
                    )
                };
                Some((Classifier::new(arch, loaded.vb.clone())?, *scale))
            }
            None => None,
        };
        let own = Output::of(process, arch.learn_sigma);
        let output = own.with(job.sample.variance)?;
        let unread_half = own.learned() && !output.learned();
        let unet = Unet::new(arch, net.vb.clone())?;
        let classes = classes.unwrap_or(1);
        let rule = asked::rule(&job.sample.classes, &net.classes, classes)?;
        Ok(Self {
            bench,
            sample: &job.sample,
            unet,
            output,
            unread_half,
            schedule,
            classifier,
            rule,
            classes,
            resolution,
        })
    }

    /// Images `range` → u8 [n, h, w, 3] and their labels.
    fn part(&self, range: &Range<u64>, made: &mut u64) -> Result<(Vec<u8>, Vec<i64>)> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let mut at = range.start;
        while at < range.end {
            let end = (at + self.sample.batch as u64).min(range.end);
            let images: Vec<u64> = (at..end).collect();
            let asked = images
                .iter()
                .map(|&i| label(&self.rule, self.sample.seed, i, self.classes as u32))
                .collect::<candle_core::Result<Vec<u32>>>()?;
            let batch = self.draw(&images, &asked, *made)?;
            pixels.extend(batch.flatten_all()?.to_vec1::<u8>()?);
            labels.extend(asked.iter().map(|&l| l as i64));
            *made += end - at;
            at = end;
        }
        Ok((pixels, labels))
    }

    /// The images of these indices → u8 [n, h, w, 3].
    fn draw(&self, images: &[u64], labels: &[u32], made: u64) -> Result<Tensor> {
        let device = &self.bench.device;
        let y = Tensor::from_slice(labels, labels.len(), device)?;
        let asked = self.unet.conditional().then_some(&y);
        let denoise = |x: &Tensor, t: &Tensor| {
            let answer = self.unet.forward(x, t, asked, None)?;
            match self.unread_half {
                true => mean_half(&answer, x),
                false => Ok(answer),
            }
        };
        let log_probs = self
            .classifier
            .as_ref()
            .map(|(net, scale)| (move |x: &Tensor, t: &Tensor| net.log_probs(x, t), *scale));
        let guide = log_probs
            .as_ref()
            .map(|(field, scale)| Guide::classifier(*scale, field, &y));
        let side = self.resolution;
        let stream = Noise::new(self.sample.seed);
        let noise = |step: u64| stream.tensor(images, step, (3, side, side), device);
        let noise = tempered(self.sample.temperature, noise);
        let recipe = Recipe {
            reading: Reading {
                schedule: &self.schedule,
                output: self.output,
                clip: self.sample.clip,
            },
            sampler: self.sample.sampler,
            eta: self.sample.eta,
            guide: guide.as_ref(),
        };
        let total = self.sample.count as u64;
        let mut tick = |step: usize| {
            // Counted in whole images, so that a long batch moves the bar too.
            let share = images.len() as u64 * (step as u64 + 1) / self.schedule.len() as u64;
            self.bench.tell(Progress {
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

fn open_net(net: &Net, bench: &Bench) -> Result<Loaded> {
    let path = match &net.weights {
        Weights::File(file) => file.path.clone(),
        Weights::Trained(key) => bench.input(key).join("model.safetensors"),
    };
    weights::load(&path, &net.model, &bench.device)
}

/// A classifier guides only nets of its own pixels, classes and clock; its number of classes.
fn check_guide(guide: &Loaded, net: &Loaded, resolution: usize) -> Result<usize> {
    let Arch::Classifier(arch) = &guide.arch else {
        bail!(
            "guidance.checkpoint is a {}, guidance needs a classifier",
            kind(&guide.arch)
        )
    };
    let side = arch.trunk.resolution;
    ensure!(
        side == resolution,
        "the classifier was trained at {side} pixels, the model at {resolution}"
    );
    if let Arch::Unet(unet) = &net.arch
        && let Some(classes) = unet.classes
    {
        ensure!(
            classes == arch.classes,
            "the classifier knows {} classes, the model {classes}",
            arch.classes
        );
    }
    if let (Some(guide), Some(net)) = (&guide.process, &net.process) {
        let clock = |p: &crate::spec::arch::Process| (p.schedule, p.timesteps, p.rescale_timesteps);
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

fn kind(arch: &Arch) -> &'static str {
    match arch {
        Arch::Unet(_) => "unet",
        Arch::SuperRes(_) => "super-resolution net",
        Arch::Classifier(_) => "classifier",
        Arch::Features(_) => "feature net",
    }
}
