//! What `[train.distill]` can be asked for, and what of `[sample]` goes with it.

use crate::experiment::file::experiment::{
    Distill, Experiment, Kind, Sample, Sampler, ScheduleSampler, Spacing, Train, Weighting,
};
use anyhow::{Result, bail, ensure};

/// `[train.distill]` of a file, against all else that stands in it.
pub(super) fn check_distill(spec: &Experiment, train: &Train) -> Result<()> {
    let Some(distill) = &train.distill else {
        return Ok(());
    };
    distill.check("train.distill")?;
    ensure!(
        matches!(spec.model.kind, Kind::Unet | Kind::SuperRes),
        "[train.distill] teaches nets that denoise, and model.kind is another\nhint: set model.kind = \"unet\", or take the table out"
    );
    let timesteps = spec.timesteps();
    ensure!(
        distill.teacher_steps <= timesteps,
        "train.distill.teacher_steps = {} is outside 1..={timesteps} (the model was trained on {timesteps} steps)",
        distill.teacher_steps
    );
    for (key, set, cure) in [
        (
            "keep",
            !train.keep.is_empty(),
            "the student of every round is kept; `sample.steps` draws with it",
        ),
        (
            "start_from",
            train.start_from.is_some(),
            "a student starts from its teacher",
        ),
        (
            "weighting",
            train.weighting != Weighting::Simple,
            "set `train.distill.weighting`",
        ),
        (
            "labels",
            train.labels.is_some(),
            "the clusters that a teacher knows are those of its own training",
        ),
        (
            "schedule_sampler",
            train.schedule_sampler != ScheduleSampler::Uniform,
            "a student's steps are drawn alike",
        ),
    ] {
        ensure!(
            !set,
            "train.{key} stands beside [train.distill]\nhint: take it out: {cure}"
        );
    }
    if let Some(steps) = spec.guidance.as_ref().and_then(|g| g.trained_steps) {
        bail!(
            "guidance.trained_steps = {steps}, and each student of [train.distill] draws in steps of its own\nhint: name a second net with `guidance.checkpoint`"
        );
    }
    match spec.net_sample() {
        Some(sample) => check_drawn(distill, sample),
        None => Ok(()),
    }
}

/// `[sample]` of a student.
fn check_drawn(distill: &Distill, sample: &Sample) -> Result<()> {
    if let Some(steps) = sample.trained_steps {
        ensure!(
            steps == distill.convert_steps,
            "sample.trained_steps = {steps}, and with [train.distill] `sample.steps` chooses the student\nhint: take `trained_steps` out{}",
            match distill.convert_steps {
                0 => String::new(),
                converted => format!(", or set it to train.distill.convert_steps = {converted}"),
            }
        );
        // A net of every timestep.
        return Ok(());
    }
    let name = sample.sampler.name();
    ensure!(
        sample.sampler == Sampler::Ddim,
        "sample.sampler = \"{name}\", and a student of [train.distill] makes steps of DDIM\nhint: set sampler = \"ddim\""
    );
    ensure!(
        sample.eta == 0.0,
        "sample.eta = {}, and a student of [train.distill] makes steps without noise\nhint: take `eta` out",
        sample.eta
    );
    ensure!(
        sample.spacing == Some(Spacing::Trailing),
        "sample.spacing is {}, and a student of [train.distill] knows the timesteps of \"trailing\"\nhint: set spacing = \"trailing\"",
        sample.spacing.map_or("left out", Spacing::name)
    );
    let asked = sample.steps.number();
    let rounds = distill.rounds(1);
    let students: Vec<usize> = rounds.iter().filter_map(|round| round.student).collect();
    ensure!(
        asked.is_some_and(|steps| students.contains(&steps)),
        "sample.steps = {}, and the students of [train.distill] draw in {} steps\nhint: choose one of them, or set `train.distill.teacher_steps` and `to`",
        asked.map_or("a list".to_string(), |steps| steps.to_string()),
        listed(&students)
    );
    Ok(())
}

/// `8, 4 or 2`
fn listed(numbers: &[usize]) -> String {
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.join(""),
    }
}
