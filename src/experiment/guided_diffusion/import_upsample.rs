//! The flags of guided-diffusion's `super_res_sample` → the `[upsample]` table that makes the same of small images.

use crate::experiment::file::experiment::{Precision, Upsample};
use crate::experiment::grid::fill::file_of;
use crate::experiment::guided_diffusion::flags::Flags;
use crate::experiment::guided_diffusion::import_flags::{
    multipliers, process, sample, to_fetch, unet, weights, without_effect,
};
use crate::experiment::nets::arch::{Arch, UnetArch};
use crate::experiment::nets::presets;
use anyhow::{Result, bail, ensure};
use serde::Serialize;
use std::path::Path;

/// The table's text, to stand behind the tables that draw the small images. `there` as for `import`.
pub(crate) fn table(flags: &Flags, there: &dyn Fn(&Path) -> bool) -> Result<String> {
    #[derive(Serialize)]
    struct Table {
        upsample: Upsample,
    }
    for name in ["image_size", "classifier_path", "classifier_scale"] {
        ensure!(
            !flags.given(name),
            "--{name} is no flag of super_res_sample, and --large_size, --small_size and --base_samples are no others'\nhint: import the two command lines one by one: the one that draws the small images, and this one"
        );
    }
    let checkpoint = weights(flags, "model_path", there)?;
    let drawn = sample(flags)?;
    let upsample = Upsample {
        // A net that was trained here says itself what it is.
        preset: if checkpoint.extension().is_some_and(|e| e == "safetensors") {
            None
        } else {
            Some(preset(flags)?)
        },
        checkpoint,
        sampler: drawn.sampler,
        steps: drawn.steps,
        eta: drawn.eta,
        variance: None,
        temperature: 1.0,
        dtype: Precision::F32,
        clip: drawn.clip,
        threshold: None,
        spacing: None,
        order: None,
        churn: 0.0,
        churn_sigmas: None,
        batch: drawn.batch,
        part: drawn.part,
    };
    let mut text = "# From the flags of guided-diffusion's super_res_sample: the second stage of an experiment file.\n# Put it behind the tables that draw the small images (`runner import` of their command line).\n".to_string();
    if flags.given("base_samples") {
        text += &format!(
            "# Without effect here: --base_samples {} (what [sample] draws is made large, with its labels)\n",
            flags.text("base_samples")
        );
    }
    if flags.given("num_samples") {
        text += &format!(
            "# Without effect here: --num_samples {} (as many as [sample] draws)\n",
            flags.text("num_samples")
        );
    }
    text += &without_effect(flags)?;
    text += &to_fetch(flags, "model_path", Some(&upsample.checkpoint));
    Ok(text + &file_of(&Table { upsample })?)
}

/// The released upsampler of these flags.
fn preset(flags: &Flags) -> Result<String> {
    let (large, small) = (flags.count("large_size", 1)?, flags.count("small_size", 1)?);
    // The script has its own table: no half-width level at 512 pixels.
    let mults = multipliers(flags, "large_size", large.min(256))?;
    let arch = Arch::SuperRes(UnetArch {
        low_resolution: Some(small),
        ..unet(flags, large, mults)?
    });
    let meant = (arch, process(flags)?);
    let same = |name: &&&str| presets::arch(name).is_some_and(|preset| preset == meant);
    match presets::NAMES.iter().find(same) {
        Some(name) => Ok(name.to_string()),
        None => bail!(
            "the upsampler of these flags, {small} to {large} pixels, is none of the released ones\nhint: those are 64 to 256 and 128 to 512 pixels, with the flags of guided-diffusion's README"
        ),
    }
}
