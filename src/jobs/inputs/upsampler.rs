//! Which samples a super-resolution net can enlarge: those of its own small size, labelled with its own classes.

use crate::experiment::nets::arch::{Arch, Task};
use crate::experiment::nets::resolve::resolve;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use crate::jobs::net::{Net, Weights};
use crate::jobs::sample::SampleJob;
use anyhow::{Context, Result, bail, ensure};

/// That `net` can enlarge what `base` draws, as far as presets and the cards of files tell.
///
/// # Errors
/// Where the sizes or the classes differ, or `net` is of another kind.
pub fn check(base: &SampleJob, net: &Net) -> Result<()> {
    let Some(large) = known(net).context("upsample.checkpoint")? else {
        return Ok(());
    };
    ensure!(
        large.task() == Task::Upsample,
        "upsample.checkpoint is a {}, and upsampling needs a super-resolution net",
        large.title()
    );
    let small = match known(&base.net).context("model")? {
        Some(small) if small.task() == Task::Denoise => small,
        // Another kind is refused where the samples are drawn.
        _ => return Ok(()),
    };
    let side = small.resolution();
    if let Some(low) = large.low_resolution() {
        ensure!(
            low == side,
            "[upsample] starts from images of {low} pixels a side, and [model] makes them of {side}\nhint: choose a model of {low} pixels, or an upsampler that starts from {side}"
        );
    }
    let Some(wanted) = large.classes() else {
        return Ok(());
    };
    let guide = base.guidance.as_ref().and_then(|pull| pull.net.as_ref());
    let guide = guide.map(known);
    let asked = match guide.transpose().context("guidance.checkpoint")?.flatten() {
        Some(guide) if guide.task() == Task::Classify => guide.classes(),
        _ => small.classes(),
    };
    match asked {
        Some(asked) => ensure!(
            asked == wanted,
            "[upsample] knows {wanted} classes, and the samples are of {asked}"
        ),
        None => bail!(
            "[upsample] asks which of {wanted} classes an image is of, and the samples of an unconditional model without guidance have none"
        ),
    }
    Ok(())
}

/// What a net is by its file's own card or its preset; none of a file that is not here yet and has no preset.
fn known(net: &Net) -> Result<Option<Arch>> {
    let card = match &net.weights {
        Weights::File(file) if file.absent().is_none() => card(&Checkpoint::open(&file.path)?)?,
        _ => None,
    };
    match card {
        Some(card) => Ok(Some(card.arch)),
        None if net.model.preset.is_none() => Ok(None),
        None => Ok(Some(resolve(&net.model, None)?.0)),
    }
}
