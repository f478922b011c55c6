//! `[train.distill]`: nets that draw in fewer steps, taught by one that needs more.

use crate::experiment::check::ranges::Range;
use crate::experiment::schema::texts::path_or_fetched;
use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// What the squared error of a student's x0 counts, by its timestep's signal-to-noise ratio
/// SNR = alpha_bar / (1 - alpha_bar).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum SnrWeighting {
    /// SNR, at least 1.
    #[default]
    #[serde(rename = "snr")]
    Truncated,
    /// SNR + 1: the squared error of the velocity.
    #[serde(rename = "snr+1")]
    PlusOne,
}

impl SnrWeighting {
    /// The factor where the share `alpha_bar` of (0, 1) of an image's variance is left (arXiv:2202.00512, section 4).
    pub fn at(self, alpha_bar: f64) -> f64 {
        let snr = alpha_bar / (1.0 - alpha_bar);
        match self {
            SnrWeighting::Truncated => snr.max(1.0),
            SnrWeighting::PlusOne => snr + 1.0,
        }
    }

    fn is_truncated(&self) -> bool {
        *self == SnrWeighting::Truncated
    }
}

/// Progressive distillation ("Progressive Distillation for Fast Sampling of Diffusion Models", arXiv:2202.00512). The net
/// of `[model]` starts from a teacher's weights and learns to make two of its DDIM steps in one; then it is the teacher of
/// the next round. Each round takes `train.steps` updates, with a warm-up, a fall of the learning rate, an optimizer and an
/// average of its own. `sample.steps` chooses the student that draws; it does so with `ddim` at `spacing = "trailing"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distill {
    /// The weights of the first teacher: a file that `model.checkpoint` could name, of the architecture of `[model]`.
    #[schemars(transform = path_or_fetched, example = &"experiments/shapes/unet16.safetensors")]
    pub teacher: PathBuf,
    /// DDIM steps of the first teacher.
    #[schemars(transform = Range::FromOne, example = 32)]
    pub teacher_steps: usize,
    /// Steps of the last student: `teacher_steps`, halved once or more.
    #[serde(default = "one")]
    #[schemars(transform = Range::FromOne, example = 4)]
    pub to: usize,
    /// Updates of a first round in which the net learns to answer as the teacher does at every timestep, where the two
    /// differ in what they predict (`model.process.predict`). `sample.trained_steps` of so many draws with that net, which
    /// knows every sampler and any number of steps.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("default" = 0), example = 1000)]
    pub convert_steps: u64,
    /// What the squared error of a student's clean image counts, by its timestep.
    #[serde(default, skip_serializing_if = "SnrWeighting::is_truncated")]
    #[schemars(extend("default" = SnrWeighting::default()), example = &"snr+1")]
    pub weighting: SnrWeighting,
}

/// One round of a distillation, in which one student learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Counted from 1.
    pub number: usize,
    pub of: usize,
    /// DDIM steps of the student, half as many as its teacher's; none where it learns its teacher's answers at every
    /// timestep.
    pub student: Option<usize>,
    /// The updates before it, and the last of its own, counted from the first of the training.
    pub after: u64,
    pub until: u64,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, of) = (self.number, self.of);
        match self.student {
            Some(steps) => write!(f, "round {number} of {of}: {} steps in {steps}", 2 * steps),
            None => write!(f, "round {number} of {of}: what is predicted"),
        }
    }
}

impl Distill {
    /// The rounds in order, each of `steps` updates but for the conversion.
    pub fn rounds(&self, steps: u64) -> Vec<Round> {
        let mut lengths = Vec::new();
        if self.convert_steps > 0 {
            lengths.push((None, self.convert_steps));
        }
        let mut student = self.teacher_steps / 2;
        while student >= self.to.max(1) {
            lengths.push((Some(student), steps));
            student /= 2;
        }
        let (of, mut after) = (lengths.len(), 0);
        let mut rounds = Vec::with_capacity(of);
        for (place, (student, updates)) in lengths.into_iter().enumerate() {
            let until = after + updates;
            rounds.push(Round {
                number: place + 1,
                of,
                student,
                after,
                until,
            });
            after = until;
        }
        rounds
    }

    /// # Errors
    /// Numbers out of range, and a last student that no halving leads to. `table` is where it stands.
    pub fn check(&self, table: &str) -> Result<()> {
        let (from, to) = (self.teacher_steps, self.to);
        Range::FromOne.check(&format!("{table}.teacher_steps"), from)?;
        Range::FromOne.check(&format!("{table}.to"), to)?;
        let halved = from.is_multiple_of(to) && (from / to).is_power_of_two();
        ensure!(
            halved && from > to,
            "{table}.to = {to}, and halving teacher_steps = {from} leads to {}\nhint: teacher_steps is `to` times a power of 2, such as {}",
            halvings(from),
            8 * to
        );
        Ok(())
    }
}

/// `16, 8, 4, 2, 1`
fn halvings(steps: usize) -> String {
    let next = |steps: &usize| steps.is_multiple_of(2).then_some(steps / 2);
    let halved = std::iter::successors(next(&steps), |steps| next(steps));
    let halved: Vec<String> = halved.map(|steps| steps.to_string()).collect();
    if halved.is_empty() {
        return "nothing".to_string();
    }
    halved.join(", ")
}

fn one() -> usize {
    1
}
fn is_zero(steps: &u64) -> bool {
    *steps == 0
}
