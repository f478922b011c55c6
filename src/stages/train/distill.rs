//! Progressive distillation: a student learns to make two steps of its teacher in one, round by round
//! (arXiv:2202.00512, algorithm 2).

use crate::diffusion::process::at::At;
use crate::diffusion::process::clamp::Clamp;
use crate::diffusion::process::posterior::{Output, Reading};
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::process::timesteps::{Draw, Timesteps};
use crate::diffusion::training::distill::{begun, losses, two_steps_in_one};
use crate::experiment::file::drawing::sampling::TRAILING;
use crate::experiment::file::experiment::{Distill, Round, ScheduleSampler, Train};
use crate::experiment::nets::arch::{Arch, Process};
use crate::jobs::inputs::distilled::{card_of, taught, teacher_of};
use crate::jobs::train::TrainJob;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::inventory;
use crate::nets::open::denoiser;
use crate::stages::train::journal::Unread;
use crate::stages::train::step::{Check, Outcome, TrainStep};
use crate::stages::weights;
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

/// A net that teaches.
pub struct Teacher {
    /// By name, in the order of the net.
    pub weights: Vec<(String, Tensor)>,
    net: Box<dyn Denoiser>,
    output: Output,
}

impl Teacher {
    /// The first teacher of a training; none where it has none.
    ///
    /// # Errors
    /// A file that does not fit the net that is trained, as [`taught`] says.
    pub fn open(job: &TrainJob, student: (&Arch, &Process), device: &Device) -> Result<Self> {
        let distill = job.train.distill.as_ref();
        let (Some(distill), Some(file)) = (distill, &job.teacher) else {
            anyhow::bail!("a distillation names no teacher");
        };
        let model = teacher_of(&job.model, card_of(file)?.as_ref());
        let loaded = weights::load(&file.path, &model, device)?;
        let student = (student.0.clone(), Some(student.1.clone()));
        let teacher = (loaded.arch, loaded.process);
        taught(&student, &teacher, distill, loaded.distilled)?;
        let process = teacher.1.context("the teacher has no diffusion process")?;
        let entries = inventory::tensors(&teacher.0)?.into_iter();
        let named = entries.map(|entry| {
            let tensor = loaded.vb.get(entry.shape, &entry.name)?;
            Ok((entry.name, tensor))
        });
        let weights = named.collect::<Result<Vec<_>>>()?;
        Self::new(&teacher.0, &process, weights)
    }

    fn new(arch: &Arch, process: &Process, weights: Vec<(String, Tensor)>) -> Result<Self> {
        let device = weights
            .first()
            .map_or(Device::Cpu, |w| w.1.device().clone());
        let named = weights.iter().cloned().collect();
        let vb = VarBuilder::from_tensors(named, DType::F32, &device);
        let net = denoiser(arch, vb)?;
        let output = Output::of(process, net.answer());
        Ok(Self {
            weights,
            net,
            output,
        })
    }
}

/// A student in one of its rounds, and its teacher.
pub struct Distilling {
    arch: Arch,
    process: Process,
    distill: Distill,
    rounds: Vec<Round>,
    /// The place of the round in `rounds`.
    place: usize,
    /// The teacher's steps.
    schedule: Schedule,
    /// Draws from the student's.
    timesteps: Timesteps,
    teacher: Teacher,
    student: Box<dyn Denoiser>,
    output: Output,
}

impl Distilling {
    /// The first round.
    ///
    /// # Errors
    /// A table that makes no round, steps that the process does not have.
    pub fn new(
        (arch, process): (&Arch, &Process),
        (distill, train): (&Distill, &Train),
        student: Box<dyn Denoiser>,
        teacher: Teacher,
    ) -> Result<Self> {
        let rounds = distill.rounds(train.steps);
        let first = rounds.first().context("[train.distill] makes no round")?;
        Ok(Self {
            schedule: steps_of(process, first)?,
            timesteps: timesteps_of(process, first),
            output: Output::of(process, student.answer()),
            arch: arch.clone(),
            process: process.clone(),
            distill: distill.clone(),
            place: 0,
            rounds,
            teacher,
            student,
        })
    }

    pub fn round(&self) -> Round {
        self.rounds[self.place]
    }

    /// The teacher's weights, which a training that is killed goes on with.
    pub fn teaching(&self) -> &[(String, Tensor)] {
        &self.teacher.weights
    }

    /// Whether the round ends after `done` updates and another follows.
    pub fn next(&self, done: u64) -> bool {
        self.round().until == done && self.place + 1 < self.rounds.len()
    }

    /// The next round, taught by the student of this one, whose averaged weights these are.
    ///
    /// # Errors
    /// Where there is none.
    pub fn advance(&mut self, weights: Vec<(String, Tensor)>) -> Result<Round> {
        self.enter(self.place + 1, weights)
    }

    /// The round of update `done`, counted from 1, in which these weights teach.
    ///
    /// # Errors
    /// Updates past the last, weights of another net.
    pub fn go_on(&mut self, done: u64, weights: Vec<(String, Tensor)>) -> Result<Round> {
        let place = self.rounds.iter().position(|round| done <= round.until);
        self.enter(place.unwrap_or(self.rounds.len()), weights)
    }

    fn enter(&mut self, place: usize, weights: Vec<(String, Tensor)>) -> Result<Round> {
        let round = *(self.rounds.get(place)).context("a distillation has no more rounds")?;
        let output = self.teacher.output;
        self.teacher = Teacher::new(&self.arch, &self.process, weights)?;
        if place == 0 {
            // The first one may predict something else than its student.
            self.teacher.output = output;
        }
        self.schedule = steps_of(&self.process, &round)?;
        self.timesteps = timesteps_of(&self.process, &round);
        self.place = place;
        Ok(round)
    }

    /// The timesteps of the `count` images of update `step`.
    pub(super) fn draw(&self, seed: u64, step: u64, count: usize) -> Draw {
        self.timesteps.draw(seed, step, count)
    }

    /// What the student learns from a batch, if the teacher's answers are finite.
    ///
    /// # Errors
    /// Those of the nets.
    pub(super) fn outcome(&self, at: &TrainStep) -> Result<Outcome> {
        let (batch, round) = (at.batch, self.round());
        let (x0, noise) = (batch.images(at.device)?, at.noise()?);
        let halves = round.student.is_some();
        let places: Vec<usize> = match &at.drawn.places {
            places if halves => places.iter().copied().map(begun).collect(),
            places => places.clone(),
        };
        let x = self.schedule.diffuse(&x0, &noise, At::Each(&places))?;
        let told = at.told(self.student.as_ref(), &x0)?;
        let teacher = |x: &Tensor, places: &[usize]| self.taught(x, places, &told.asked());
        let target = if halves {
            let own: Vec<usize> = places.iter().map(|place| place / 2).collect();
            two_steps_in_one(&self.schedule, &x, &own, &teacher)?
        } else {
            teacher(&x, &places)?
        };
        let (step, number) = (at.turn.step, round.number);
        let check = Check {
            sum: target.sum_all()?,
            otherwise: format!("the teacher's answer at update {step} of round {number}"),
        };
        let t = (self.schedule).clock(At::Each(&places), batch.count(), at.device)?;
        let answer = self.student.denoise(&x, &t, &told.learning())?;
        let x0 = self
            .reading(self.output, Clamp::None)
            .x0(&answer, &x, At::Each(&places))?;
        let weighting = self.distill.weighting;
        let (mse, weighted) = losses(
            &self.schedule,
            (&x0, &target),
            At::Each(&places),
            |alpha_bar| weighting.at(alpha_bar),
        )?;
        let quartiles: Vec<usize> = (places.iter())
            .map(|place| 4 * place / self.schedule.len())
            .collect();
        let term = |name, values: &Tensor| Unread {
            name,
            values: values.detach(),
            quartiles: quartiles.clone(),
        };
        Ok(Outcome {
            terms: vec![term("loss", &weighted), term("mse", &mse)],
            loss: weighted.mean_all()?,
            check: Some(check),
        })
    }

    /// The teacher's x0 [n, c, h, w], clamped as sampling clamps it: where next to no image is left, what noise stands for
    /// is otherwise out of all range.
    fn taught(
        &self,
        x: &Tensor,
        places: &[usize],
        given: &Conditions,
    ) -> candle_core::Result<Tensor> {
        let at = At::Each(places);
        let t = self.schedule.clock(at, places.len(), x.device())?;
        let answer = self.teacher.net.denoise(x, &t, given)?.detach();
        let reading = self.reading(self.teacher.output, Clamp::Unit);
        reading.x0(&answer, x, at)
    }

    fn reading(&self, output: Output, clamp: Clamp) -> Reading<'_> {
        Reading {
            schedule: &self.schedule,
            output,
            clamp,
        }
    }
}

/// The teacher's steps: the sampler's own levels for twice as many as the student's, or every timestep.
fn steps_of(process: &Process, round: &Round) -> Result<Schedule> {
    let kept = round
        .student
        .map(|steps| format!("{TRAILING}{}", 2 * steps));
    Ok(Schedule::new(process, &kept.unwrap_or_default())?)
}

/// The student's.
fn timesteps_of(process: &Process, round: &Round) -> Timesteps {
    let steps = round.student.unwrap_or(process.timesteps);
    Timesteps::new(ScheduleSampler::Uniform, steps)
}
