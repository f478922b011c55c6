//! The ranges of what nets are and how they are trained: `[model]`, `[train]`, and those inside `[guidance]`.

use crate::experiment::check::averages::check_averages;
use crate::experiment::check::ranges::Range;
use crate::experiment::file::experiment::{ArchChanges, Model, TRAINED_IN, Train};
use anyhow::{Result, bail, ensure};

/// The net that is trained, or that draws.
pub fn check_model(model: &Model) -> Result<()> {
    if let Some(resolution) = model.resolution {
        Range::FromOne.check("model.resolution", resolution)?;
    }
    check_arch("model.arch", &model.arch)?;
    if let Some(timesteps) = model.process.timesteps {
        Range::FromOne.check("model.process.timesteps", timesteps)?;
    }
    ensure!(
        model.process.predict.is_none() || model.process.predict_x0.is_none(),
        "model.process sets both predict and predict_x0, which say the same\nhint: take `predict_x0` out"
    );
    Ok(())
}

/// The values of `table`, `model.arch` or `guidance.arch`.
pub(super) fn check_arch(table: &str, arch: &ArchChanges) -> Result<()> {
    let ArchChanges {
        in_channels,
        channels,
        res_blocks,
        channel_mult,
        heads,
        channels_per_head,
        heads_up,
        norm_groups,
        low_resolution,
        ..
    } = arch;
    for (key, value) in [
        ("in_channels", in_channels),
        ("channels", channels),
        ("res_blocks", res_blocks),
        ("heads_up", heads_up),
        ("norm_groups", norm_groups),
        ("low_resolution", low_resolution),
    ] {
        if let Some(value) = value {
            Range::FromOne.check(&format!("{table}.{key}"), *value)?;
        }
    }
    if let Some(mult) = channel_mult {
        ensure!(
            !mult.is_empty() && mult.iter().all(|m| Range::AboveZero.holds(*m)),
            "{table}.channel_mult = {mult:?} needs one number above 0 a level"
        );
    }
    // 0 leaves the split to the other key, so that lists of both can move together.
    let set = |value: &Option<usize>| value.is_some_and(|v| v > 0);
    ensure!(
        !set(heads) || !set(channels_per_head),
        "{table} sets both heads and channels_per_head; one follows from the other\nhint: set the other to 0"
    );
    Ok(())
}

/// The values of `table`, `train` or `guidance.train`.
pub fn check_train(table: &str, train: &Train) -> Result<()> {
    ensure!(!train.data.is_empty(), "{table}.data is empty");
    let key = |name: &str| format!("{table}.{name}");
    Range::FromOne.check(&key("steps"), train.steps)?;
    Range::FromOne.check(&key("batch"), train.batch)?;
    if let Some(microbatch) = train.microbatch {
        Range::FromOne.check(&key("microbatch"), microbatch)?;
        ensure!(
            microbatch <= train.batch,
            "{table}.microbatch = {microbatch} is more than {table}.batch = {}, the images of a step\nhint: take `microbatch` out: the whole batch then goes through the net at once",
            train.batch
        );
    }
    Range::FromOne.check(&key("checkpoint_every"), train.checkpoint_every)?;
    Range::AboveZero.check(&key("learning_rate"), train.learning_rate)?;
    Range::FromZero.check(&key("weight_decay"), train.weight_decay)?;
    check_averages(table, train)?;
    Range::ZeroToBelowOne.check(&key("dropout"), train.dropout)?;
    Range::ZeroToBelowOne.check(&key("label_dropout"), train.label_dropout)?;
    check_labels(table, train)?;
    ensure!(
        TRAINED_IN.contains(&train.dtype),
        "{table}.dtype = \"{}\": nets are trained in \"f32\", \"tf32\" or \"bf16\"\nhint: take \"bf16\", whose range needs no scaled losses; f16 is for drawing, as `sample.dtype`",
        train.dtype.name()
    );
    for step in &train.keep {
        ensure!(
            (1..=train.steps).contains(step),
            "{table}.keep holds {step}, which is outside 1..={} ({table}.steps)",
            train.steps
        );
    }
    Ok(())
}

/// Clusters are those of a feature net.
fn check_labels(table: &str, train: &Train) -> Result<()> {
    match (&train.labels, &train.label_features) {
        (Some(labels), None) => bail!(
            "{table}.labels = \"{labels}\" clusters the features of a net, and none is named\nhint: set `{table}.label_features` to its weights, such as \"fetch:inception\""
        ),
        (None, Some(path)) => bail!(
            "{table}.label_features = \"{}\" is for labels = \"clusters:K\"\nhint: take it out, or set `{table}.labels`",
            path.display()
        ),
        _ => Ok(()),
    }
}
