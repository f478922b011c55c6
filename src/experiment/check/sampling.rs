//! Whether a sampler can do what `[sample]` and `[upsample]` ask of it.

use crate::experiment::check::ranges::Range;
use crate::experiment::file::drawing::samplers::Levels;
use crate::experiment::file::experiment::{Classes, Sample, Sampler, Spacing, Steps, VarianceRule};
use crate::experiment::nets::arch::Answer;
use anyhow::{Result, bail, ensure};

/// The steps of `table` (`sample`, `upsample`) against T, the number of steps the net was trained on.
pub(super) fn check_steps(table: &str, steps: &Steps, timesteps: usize) -> Result<()> {
    let trained = format!("the model was trained on {timesteps} steps");
    let shown = match steps {
        Steps::Count(count) => count.to_string(),
        Steps::Sections(text) => format!("\"{text}\""),
    };
    let Some(count) = steps.count() else {
        bail!(
            "{table}.steps = {shown} is not a list of sections such as \"10,10,20\", nor \"ddimN\""
        )
    };
    ensure!(
        (1..=timesteps).contains(&count),
        "{table}.steps = {shown} is outside 1..={timesteps} ({trained})"
    );
    Ok(())
}

/// The values of `table`, `sample` or `upsample`; `answer` is what the net may hold.
pub(super) fn check_sample(table: &str, sample: &Sample, answer: Answer) -> Result<()> {
    let key = |name: &str| format!("{table}.{name}");
    Range::FromOne.check(&key("count"), sample.count)?;
    Range::FromOne.check(&key("batch"), sample.batch)?;
    Range::FromOne.check(&key("part"), sample.part)?;
    Range::ZeroToOne.check(&key("eta"), sample.eta)?;
    Range::FromZero.check(&key("temperature"), sample.temperature)?;
    Range::FromZero.check(&key("churn"), sample.churn)?;
    if let Some(share) = sample.threshold {
        Range::ZeroToOne.check(&key("threshold"), share)?;
    }
    if let Some(order) = sample.order {
        Range::OneToThree.check(&key("order"), order)?;
    }
    ensure!(
        sample.variance != Some(VarianceRule::Learned) || answer == Answer::MeanAndVariance,
        "{table}.variance = \"learned\", and the net has no variance half\nhint: use \"fixed_large\" or \"fixed_small\", or leave it out"
    );
    if sample.sampler != Sampler::Ddpm {
        check_noise(table, sample)?;
    }
    check_spacing(table, sample)?;
    check_extras(table, sample)?;
    if let Classes::List(list) = &sample.classes {
        ensure!(!list.is_empty(), "sample.classes is an empty list");
    }
    Ok(())
}

/// What scales the noise of a step, for samplers whose steps need not add any.
fn check_noise(table: &str, sample: &Sample) -> Result<()> {
    let title = sample.sampler.title();
    let fixed = sample.variance.filter(|v| *v != VarianceRule::Learned);
    let (adds, none, cure) = match sample.sampler {
        Sampler::Ddim => (sample.eta > 0.0, "at eta = 0", "set `eta` above 0"),
        Sampler::Heun | Sampler::Euler => {
            (sample.churn > 0.0, "at churn = 0", "set `churn` above 0")
        }
        Sampler::Dpmpp2mSde => (true, "", ""),
        _ => (false, "at all", "use sampler = \"dpmpp_2m_sde\""),
    };
    let noise = match sample.sampler {
        Sampler::Ddim => "; the noise of DDIM is `eta`",
        _ => "",
    };
    ensure!(
        fixed.is_none(),
        "{table}.variance is fixed, and {title} does not use the variance of a step\nhint: take it out, or use sampler = \"ddpm\"{noise}"
    );
    ensure!(
        sample.temperature == 1.0 || adds,
        "{table}.temperature = {} scales the noise that a step adds, and {title} adds none {none}\nhint: {cure}, or take `temperature` out",
        sample.temperature
    );
    Ok(())
}

/// How the steps are spread, and that they are a count where the sampler has levels of its own.
fn check_spacing(table: &str, sample: &Sample) -> Result<()> {
    let name = sample.sampler.name();
    let levels = sample.sampler.levels();
    let known = Spacing::of(levels);
    if let Some(spacing) = sample.spacing
        && !known.contains(&spacing)
    {
        let listed: Vec<String> = known.iter().map(|s| format!("\"{}\"", s.name())).collect();
        let hint = match listed.split_last() {
            Some((last, first)) => format!("{} or {last}", first.join(", ")),
            None => "take `spacing` out".to_string(),
        };
        bail!(
            "{table}.spacing = \"{}\", which sampler = \"{name}\" does not know\nhint: {hint}",
            spacing.name()
        );
    }
    if levels == Levels::Kept {
        ensure!(
            sample.spacing.is_none() || sample.steps.number().is_some(),
            "{table}.spacing stands beside steps that say which timesteps are kept\nhint: take `spacing` out, or give the number of steps, such as steps = 20"
        );
        return Ok(());
    }
    if let Steps::Sections(text) = &sample.steps
        && text.trim().parse::<usize>().is_err()
    {
        bail!(
            "{table}.steps = \"{text}\" says which timesteps are kept, and sampler = \"{name}\" has noise levels of its own\nhint: give the number of steps, such as steps = 20"
        );
    }
    let least = match levels {
        Levels::Sigmas => 2,
        Levels::Kept | Levels::Continuous => 1,
    };
    ensure!(
        sample.steps.count().is_none_or(|count| count >= least),
        "{table}.steps = 1, and sampler = \"{name}\" needs 2 at least"
    );
    Ok(())
}

/// Keys that some samplers alone have.
fn check_extras(table: &str, sample: &Sample) -> Result<()> {
    let name = sample.sampler.name();
    let uni_pc = matches!(sample.sampler, Sampler::UniPc | Sampler::UniPcBh2);
    ensure!(
        sample.order.is_none() || uni_pc,
        "{table}.order is UniPC's, and sampler = \"{name}\" has no such choice\nhint: take `order` out, or use sampler = \"uni_pc\" or \"uni_pc_bh2\""
    );
    let edm = matches!(sample.sampler, Sampler::Heun | Sampler::Euler);
    ensure!(
        (sample.churn == 0.0 && sample.churn_sigmas.is_none()) || edm,
        "{table}.churn is EDM's, and sampler = \"{name}\" has none\nhint: take `churn` and `churn_sigmas` out, or use sampler = \"heun\" or \"euler\""
    );
    if let Some([low, high]) = sample.churn_sigmas {
        ensure!(
            low >= 0.0 && low <= high && high.is_finite(),
            "{table}.churn_sigmas = [{low}, {high}] is not a range of sigmas from 0 up\nhint: the smaller one first, such as [0.05, 50]"
        );
    }
    ensure!(
        sample.threshold.is_none() || sample.clip,
        "{table}.threshold stands beside clip = false\nhint: take one of the two out: `threshold` does its own clipping"
    );
    Ok(())
}
