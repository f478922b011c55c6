//! Nets that were distilled for one number of DDIM steps: who can teach one, and how one draws.

use crate::experiment::file::drawing::sampling::TRAILING;
use crate::experiment::file::experiment::{Distill, Model, Sample, Sampler};
use crate::experiment::nets::arch::{Arch, Card, Prediction, Process};
use crate::experiment::nets::resolve::resolve;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use crate::jobs::inputs::pinned::Pinned;
use anyhow::{Result, bail, ensure};

/// That `sample`, which stands in `table`, draws as a net does that was distilled for so many steps; none was not.
///
/// # Errors
/// Another sampler, noise, other steps, and other timesteps.
pub fn draws(table: &str, sample: &Sample, distilled: Option<usize>) -> Result<()> {
    let Some(steps) = distilled else {
        return Ok(());
    };
    let fits = sample.sampler == Sampler::Ddim && sample.eta == 0.0;
    ensure!(
        fits && sample.kept() == format!("{TRAILING}{steps}"),
        "[{table}] draws with {} in {} steps, eta = {} and {}, and its net was distilled: it draws in {steps} DDIM steps, at eta = 0 and spacing = \"trailing\"\nhint: set {table}.sampler = \"ddim\", {table}.steps = {steps}, {table}.eta = 0 and {table}.spacing = \"trailing\"",
        sample.sampler.title(),
        sample.kept().trim_start_matches(TRAILING),
        sample.eta,
        sample
            .spacing
            .map_or("spacing left out".to_string(), |spacing| {
                format!("spacing = \"{}\"", spacing.name())
            }),
    );
    Ok(())
}

/// That the net of `teacher` can teach `model`, as far as its card and presets tell.
///
/// # Errors
/// A file that is no checkpoint; as [`taught`].
pub fn check_teacher(model: &Model, distill: &Distill, teacher: &Pinned) -> Result<()> {
    if teacher.absent().is_some() {
        return Ok(());
    }
    let card = card_of(teacher)?;
    let net = resolve(&teacher_of(model, card.as_ref()), card.as_ref())?;
    taught(
        &resolve(model, None)?,
        &net,
        distill,
        card.and_then(|card| card.distilled),
    )
}

/// The teacher of a student that `model` describes: what its card says, or, where it has none, the same net but for what is
/// predicted, which the preset says.
pub fn teacher_of(model: &Model, card: Option<&Card>) -> Model {
    if card.is_some() {
        return Model {
            kind: model.kind,
            ..Model::default()
        };
    }
    let mut teacher = model.clone();
    (teacher.process.predict, teacher.process.predict_x0) = (None, None);
    teacher
}

/// A net and its process.
pub type Described = (Arch, Option<Process>);

/// That a net can teach another of the same architecture on the same process.
///
/// # Errors
/// Nets that are not alike; a conversion where both predict the same, and none where they do not; a teacher that was
/// itself distilled for another number of steps.
pub fn taught(
    student: &Described,
    teacher: &Described,
    distill: &Distill,
    distilled: Option<usize>,
) -> Result<()> {
    ensure!(
        student.0 == teacher.0,
        "train.distill.teacher is a {} at {} pixels of another architecture than [model]\nhint: a student has its teacher's architecture: `runner inspect` tells it, and [model] must say the same",
        teacher.0.title(),
        teacher.0.resolution()
    );
    let (Some(own), Some(from)) = (&student.1, &teacher.1) else {
        bail!("train.distill teaches nets that denoise, and this one has no diffusion process");
    };
    let clock = |p: &Process| (p.schedule, p.timesteps, p.rescale_timesteps);
    ensure!(
        clock(own) == clock(from),
        "train.distill.teacher was trained on {:?} noise over {} steps, and [model.process] has {:?} over {}\nhint: take `schedule`, `timesteps` and `rescale_timesteps` out, or set the teacher's",
        from.schedule,
        from.timesteps,
        own.schedule,
        own.timesteps
    );
    let (ours, theirs) = (own.predict, from.predict);
    ensure!(
        ours != Prediction::Noise,
        "train.distill teaches a student that predicts the noise, and where there is next to no image left the noise does not tell it\nhint: set model.process.predict = \"velocity\"{}",
        hint_of_conversion(theirs)
    );
    if ours == theirs {
        ensure!(
            distill.convert_steps == 0,
            "train.distill.convert_steps = {}, and teacher and student both predict {}\nhint: take it out",
            distill.convert_steps,
            ours.title()
        );
    } else {
        ensure!(
            distill.convert_steps > 0,
            "the teacher predicts {}, the student {}\nhint: set train.distill.convert_steps, such as {}: a first round in which the student learns the teacher's own steps",
            theirs.title(),
            ours.title(),
            CONVERT
        );
    }
    let steps = distill.teacher_steps;
    ensure!(
        distilled.is_none_or(|known| known == steps),
        "train.distill.teacher_steps = {steps}, and the teacher was itself distilled for {}\nhint: set teacher_steps = {0}",
        distilled.unwrap_or_default()
    );
    Ok(())
}

/// Updates of a conversion that a hint names.
const CONVERT: u64 = 1000;

fn hint_of_conversion(teacher: Prediction) -> String {
    if teacher == Prediction::Velocity {
        return String::new();
    }
    format!(" and train.distill.convert_steps, such as {CONVERT}")
}

/// What a file says of itself, where it was written here.
///
/// # Errors
/// A file that is no checkpoint.
pub fn card_of(file: &Pinned) -> Result<Option<Card>> {
    card(&Checkpoint::open(&file.path)?)
}
