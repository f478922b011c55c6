//! Which averages of its weights a training may track, and whether it tracks the one that a table asks for.

use crate::experiment::check::ranges::Range;
use crate::experiment::file::drawing::asked::Asked;
use crate::experiment::file::experiment::{Decays, PowerEma, Train};
use crate::experiment::file::training::train::WIDEST;
use anyhow::{Context, Result, bail, ensure};

/// Snapshots of one width: more would take longer to put together than to draw with.
const MOST_SNAPSHOTS: u64 = 500;

/// The averages of `table`, `train` or `guidance.train`.
pub(super) fn check_averages(table: &str, train: &Train) -> Result<()> {
    let key = format!("{table}.ema");
    for decay in train.ema.all() {
        Range::ZeroToBelowOne.check(&key, *decay)?;
    }
    if let Decays::Several(decays) = &train.ema {
        check_list(&key, decays, "[0.999, 0.9999]")?;
    }
    ensure!(
        train.distill.is_none() || (train.ema.all().len() == 1 && train.power_ema.is_none()),
        "{table}.ema = {:?} and the averages of {table}.power_ema are of a whole training, and [{table}.distill] begins anew every round\nhint: one number as `{table}.ema`, and no {table}.power_ema",
        train.ema.all()
    );
    match &train.power_ema {
        Some(power) => check_power(&format!("{table}.power_ema"), power, train),
        None => Ok(()),
    }
}

fn check_power(table: &str, power: &PowerEma, train: &Train) -> Result<()> {
    let key = format!("{table}.sigma_rel");
    Range::FromOne.check(&format!("{table}.every"), power.every)?;
    check_list(&key, &power.sigma_rel, "[0.05, 0.10]")?;
    for width in &power.sigma_rel {
        check_width(&key, *width)?;
    }
    let regular = train.steps / power.every;
    ensure!(
        regular <= MOST_SNAPSHOTS,
        "{table}.every = {} keeps {regular} snapshots of each width in {} steps, and {MOST_SNAPSHOTS} are the most\nhint: set it to {} or more",
        power.every,
        train.steps,
        train.steps.div_ceil(MOST_SNAPSHOTS)
    );
    Ok(())
}

fn check_list(key: &str, list: &[f64], example: &str) -> Result<()> {
    ensure!(
        !list.is_empty(),
        "{key} is an empty list\nhint: name one or several, such as {example}"
    );
    for (n, value) in list.iter().enumerate() {
        ensure!(
            !list[..n].contains(value),
            "{key} = {list:?} holds {value} twice"
        );
    }
    Ok(())
}

/// A relative width, sigma_rel.
fn check_width(key: &str, width: f64) -> Result<()> {
    Range::AboveZero.check(key, width)?;
    ensure!(
        width <= WIDEST,
        "{key} = {width} is above {WIDEST:.4}, where all steps of a training count alike\nhint: such as 0.05 or 0.1"
    );
    Ok(())
}

/// That the training `table`, if there is one, has the weights that are asked for.
pub(super) fn check_asked(asked: &Asked, table: &str, train: Option<&Train>) -> Result<()> {
    let Asked {
        table: asks,
        steps,
        ema,
        ema_length,
    } = *asked;
    ensure!(
        ema.is_none() || ema_length.is_none(),
        "{asks}.ema and {asks}.ema_length name two averages of the weights\nhint: take one of the two out"
    );
    if let Some((key, value)) = asked.average() {
        let train = train.with_context(|| {
            format!("{asks}.{key} = {value} chooses among the averages that [{table}] tracks, and there is no [{table}]\nhint: take it out; a checkpoint holds one set of weights")
        })?;
        check_tracked((asks, table), (key, value), train)?;
    }
    match steps {
        Some(steps) => check_steps(asked, steps, train),
        None => Ok(()),
    }
}

fn check_tracked(
    (asks, table): (&str, &str),
    (key, value): (&str, f64),
    train: &Train,
) -> Result<()> {
    if key == "ema" {
        let decays = train.ema.all();
        ensure!(
            decays.contains(&value),
            "{asks}.ema = {value} is no average that [{table}] tracks: {table}.ema = {decays:?}\nhint: add it to `{table}.ema`, a list of all that one training tracks"
        );
        return Ok(());
    }
    check_width(&format!("{asks}.{key}"), value)?;
    ensure!(
        train.power_ema.is_some(),
        "{asks}.ema_length = {value} is made of the snapshots of [{table}.power_ema], and there is no such table\nhint: add it, with `every`, the steps between two snapshots"
    );
    Ok(())
}

/// That the weights of these steps stay. What a distillation keeps is told with its rounds.
fn check_steps(asked: &Asked, steps: u64, train: Option<&Train>) -> Result<()> {
    if train.is_some_and(|train| train.distill.is_some()) {
        return Ok(());
    }
    let table = asked.table;
    let kept = train.is_some_and(|train| train.keep.contains(&steps) || train.steps == steps);
    if asked.ema_length.is_some() {
        let Some(train) = train.filter(|train| !train.has_snapshot(steps)) else {
            return Ok(());
        };
        let every = train.power_ema.as_ref().map_or(0, |power| power.every);
        bail!(
            "{table}.trained_steps = {steps} has no snapshot: they are {every} steps apart (train.power_ema.every), and at train.keep = {:?} and train.steps = {}\nhint: add it to `train.keep`",
            train.keep,
            train.steps
        );
    }
    if table == "guidance" {
        ensure!(
            kept,
            "guidance.trained_steps = {steps} is not among the weights that [train] keeps\nhint: add it to `train.keep`"
        );
        return Ok(());
    }
    let Some(train) = train else {
        bail!(
            "{table}.trained_steps = {steps} chooses among the weights that [train] keeps, and there is no [train]"
        );
    };
    ensure!(
        kept,
        "{table}.trained_steps = {steps} is neither in train.keep = {:?} nor train.steps = {}\nhint: add it to `train.keep`",
        train.keep,
        train.steps
    );
    Ok(())
}
