//! Whether a rule of guidance can do what `[guidance]` asks of it, with the sampler and the nets that there are.

use crate::experiment::check::averages::check_asked;
use crate::experiment::check::nets::{check_arch, check_train};
use crate::experiment::check::ranges::Range;
use crate::experiment::file::drawing::asked::Asked;
use crate::experiment::file::drawing::rules::{
    Blur, Convention, Course, Form, Interval, MIDDLE_BLOCK, Method, Null,
};
use crate::experiment::file::experiment::{Experiment, Guidance, Precision, Sample, Sampler};
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
    check_attention(guidance)?;
    check_weights(spec, guidance)?;
    if let Some(interval) = guidance.interval {
        check_interval(interval)?;
    }
    match guidance.method {
        Method::Classifier => check_classifier(guidance),
        _ => check_second(guidance, sample),
    }
}

/// Keys of guidance by the sampled net's attention, and those that mean nothing to it.
fn check_attention(guidance: &Guidance) -> Result<()> {
    let is_blurring = guidance.method == Method::SelfAttention;
    ensure!(
        is_blurring || guidance.blur.is_none(),
        "guidance.blur is for method = \"self-attention\"\nhint: take it out, or set the method"
    );
    if !guidance.method.by_attention() {
        ensure!(
            guidance.blocks.is_none(),
            "guidance.blocks names attention blocks of the sampled net, and is for method = \"self-attention\" or \"perturbed-attention\"\nhint: take it out, or set one of these"
        );
        return Ok(());
    }
    let of_net = [
        ("preset", guidance.preset.is_some()),
        ("checkpoint", guidance.checkpoint.is_some()),
        ("arch", !guidance.arch.is_empty()),
        ("train", guidance.train.is_some()),
        ("dtype", guidance.dtype != Precision::F32),
    ];
    for (key, set) in of_net {
        ensure!(
            !set,
            "guidance.{key} is of a second net, and guidance by attention asks the sampled net twice\nhint: take it out, or set method = \"autoguidance\""
        );
    }
    if let Some(blocks) = &guidance.blocks {
        ensure!(
            !blocks.is_empty() && (blocks.len() == 1 || !is_blurring),
            "guidance.blocks names {} attention blocks, and {} is needed\nhint: leave it out for the middle block, \"{MIDDLE_BLOCK}\"",
            blocks.len(),
            if is_blurring { "one" } else { "at least one" }
        );
    }
    let Blur { sigma, kernel } = guidance.blur.unwrap_or_default();
    if let Some(sigma) = sigma {
        Range::AboveZero.check("guidance.blur.sigma", sigma)?;
    }
    if let Some(kernel) = kernel {
        Range::FromOne.check("guidance.blur.kernel", kernel)?;
        ensure!(
            kernel % 2 == 1,
            "guidance.blur.kernel = {kernel} has no middle pixel\nhint: an odd number, such as {}",
            kernel + 1
        );
    }
    Ok(())
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
    }
    check_average(spec, guidance)?;
    let other = guidance.null().is_some_and(|null| null != Null::Net);
    let own = other || guidance.method.by_attention();
    if own || guidance.has_net() || guidance.is_of_train() {
        return Ok(());
    }
    let hint = match guidance.method {
        Method::Autoguidance => {
            "name a weaker net with `guidance.checkpoint`, make one with [guidance.train], or take an earlier one of [train] with `guidance.trained_steps`, or another average of it with `guidance.ema`"
        }
        _ => {
            "name them with `guidance.checkpoint = \"...\"`, or make them with a table [guidance.train]"
        }
    };
    bail!("[guidance] needs weights\nhint: {hint}")
}

/// The step and the average of the training that guides.
fn check_average(spec: &Experiment, guidance: &Guidance) -> Result<()> {
    let asked = Asked::from(guidance);
    if let Some(train) = &guidance.train {
        return check_asked(&asked, "guidance.train", Some(train));
    }
    if let Some((key, value)) = asked.average() {
        ensure!(
            guidance.method == Method::Autoguidance && guidance.checkpoint.is_none(),
            "guidance.{key} = {value} is an average of the weights of [guidance.train], or of [train] as the second net of method = \"autoguidance\"\nhint: take it out, or let one of the two train what guides"
        );
    }
    check_asked(&asked, "train", spec.net_train())
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
        "guidance.null is the net without a class, and this method asks for the same class twice\nhint: take it out, or set method = \"classifier-free\""
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
