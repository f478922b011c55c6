//! Whether a rule of guidance can do what `[guidance]` asks of it, with the sampler and the nets that there are.

use crate::experiment::check::nets::{check_arch, check_train};
use crate::experiment::check::ranges::Range;
use crate::experiment::file::drawing::guidance::{
    Convention, Course, Form, Interval, Method, Null,
};
use crate::experiment::file::experiment::{Experiment, Guidance, Sample, Sampler};
use anyhow::{Result, bail, ensure};

/// `[guidance]` of a cell that draws by `sample`.
pub(super) fn check_guidance(
    spec: &Experiment,
    guidance: &Guidance,
    sample: &Sample,
) -> Result<()> {
    Range::FromZero.check("guidance.scale", guidance.scale)?;
    Range::AboveZero.check("guidance.power", guidance.power)?;
    Range::ZeroToOne.check("guidance.rescale", guidance.rescale)?;
    check_arch("guidance.arch", &guidance.arch)?;
    check_weights(spec, guidance)?;
    if let Some(interval) = guidance.interval {
        check_interval(interval)?;
    }
    match guidance.method {
        Method::Classifier => check_classifier(guidance),
        Method::ClassifierFree | Method::Autoguidance => check_second(guidance, sample),
    }
}

/// Where the classifier, or the second net, comes from.
fn check_weights(spec: &Experiment, guidance: &Guidance) -> Result<()> {
    if let Some(train) = &guidance.train {
        check_train("guidance.train", train)?;
        ensure!(
            train.distill.is_none(),
            "[guidance.train.distill] is there, and what guides is not distilled\nhint: take it out"
        );
        ensure!(
            guidance.checkpoint.is_none(),
            "[guidance.train] starts from fresh weights, so guidance.checkpoint cannot be set\nhint: take one of the two out"
        );
        ensure!(
            guidance.preset.is_some(),
            "[guidance.train] needs to know what to train\nhint: set `guidance.preset`, such as \"shapes16-classifier\""
        );
    }
    if let Some(steps) = guidance.trained_steps {
        ensure!(
            guidance.method == Method::Autoguidance && !guidance.has_net(),
            "guidance.trained_steps = {steps} is the net of [train] at an earlier step, as the second net of method = \"autoguidance\"\nhint: take it out, or `checkpoint` and [guidance.train]"
        );
        let train = spec.net_train();
        let kept = train.is_some_and(|t| t.steps == steps || t.keep.contains(&steps));
        ensure!(
            kept,
            "guidance.trained_steps = {steps} is not among the weights that [train] keeps\nhint: add it to `train.keep`"
        );
    }
    let other = guidance.null().is_some_and(|null| null != Null::Net);
    if other || guidance.has_net() || guidance.trained_steps.is_some() {
        return Ok(());
    }
    let hint = match guidance.method {
        Method::Autoguidance => {
            "name a weaker net with `guidance.checkpoint`, make one with [guidance.train], or take an earlier one of [train] with `guidance.trained_steps`"
        }
        _ => {
            "name them with `guidance.checkpoint = \"...\"`, or make them with a table [guidance.train]"
        }
    };
    bail!("[guidance] needs weights\nhint: {hint}")
}

fn check_interval(interval: Interval) -> Result<()> {
    let (name, [low, high], example) = match interval {
        Interval::Timesteps(ends) => ("timesteps", ends, "[250, 750]"),
        Interval::Sigma(ends) => ("sigma", ends, "[0.3, 3.0]"),
        Interval::Steps(ends) => ("steps", ends, "[0.2, 0.8]"),
    };
    ensure!(
        low >= 0.0 && low <= high,
        "guidance.interval.{name} = [{low}, {high}] does not rise from 0 or more\nhint: the smaller one first, such as {example}"
    );
    ensure!(
        !matches!(interval, Interval::Steps(_)) || high <= 1.0,
        "guidance.interval.steps = [{low}, {high}] are shares of the steps, and end at 1\nhint: such as {example}"
    );
    Ok(())
}

/// Keys that a classifier has no use for.
fn check_classifier(guidance: &Guidance) -> Result<()> {
    let idle = [
        ("convention", guidance.convention != Convention::Standard),
        ("form", guidance.form != Form::Plain),
        ("apg", guidance.apg.is_some()),
        ("rescale", guidance.rescale != 0.0),
        ("null", guidance.null.is_some()),
    ];
    for (key, set) in idle {
        ensure!(
            !set,
            "guidance.{key} combines two answers of a denoiser, and method = \"classifier\" adds a gradient\nhint: take it out, or set method = \"classifier-free\" or \"autoguidance\""
        );
    }
    Ok(())
}

/// Guidance by a second answer.
fn check_second(guidance: &Guidance, sample: &Sample) -> Result<()> {
    ensure!(
        !guidance.entropy,
        "guidance.entropy scales the gradient of a classifier\nhint: take it out, or set method = \"classifier\""
    );
    ensure!(
        guidance.method == Method::ClassifierFree || guidance.null.is_none(),
        "guidance.null is the net without a class, and autoguidance asks a weaker net for the same class\nhint: take it out, or set method = \"classifier-free\""
    );
    let names_net = guidance.has_net() || guidance.preset.is_some();
    ensure!(
        !names_net || guidance.null().is_none_or(|null| null == Null::Net),
        "guidance.null asks the sampled net for its answer without a class, and [guidance] names a second net\nhint: take `null` or the second net out"
    );
    ensure!(
        guidance.apg.is_none() || guidance.form == Form::Apg,
        "guidance.apg is for form = \"apg\"\nhint: set `guidance.form = \"apg\"`, or take the table out"
    );
    if let Some(apg) = guidance.apg {
        Range::FromZero.check("guidance.apg.parallel", apg.parallel)?;
        if let Some(norm) = apg.norm {
            Range::AboveZero.check("guidance.apg.norm", norm)?;
        }
        ensure!(
            apg.momentum > -1.0 && apg.momentum < 1.0,
            "guidance.apg.momentum = {} is outside -1..1 (both left out)",
            apg.momentum
        );
    }
    if guidance.form == Form::PlusPlus {
        ensure!(
            (0.0..=1.0).contains(&guidance.weight()) && guidance.course == Course::Constant,
            "guidance.scale = {} of form = \"cfg++\" is outside 0..=1, or has a course",
            guidance.scale
        );
        ensure!(
            sample.sampler == Sampler::Ddim,
            "form = \"cfg++\" keeps the noise of the second answer, which DDIM alone does\nhint: set sampler = \"ddim\", or another `form`"
        );
    }
    Ok(())
}
