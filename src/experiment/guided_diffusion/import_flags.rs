//! What guided-diffusion's sampling scripts have in common: nets, processes, sampling and weights from their flags.

use crate::experiment::catalogue::{self, SCHEME};
use crate::experiment::file::experiment::{ClassRule, Classes, Sample, Sampler, Steps};
use crate::experiment::guided_diffusion::flags::Flags;
use crate::experiment::nets::arch::{
    NoiseSchedule, Prediction, Process, QkvOrder, Trunk, UnetArch, release_groups,
};
use crate::experiment::nets::presets;
use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};

/// Flags that change nothing here, and why; told in the file where the command line has them.
const WITHOUT_EFFECT: [(&str, &str); 7] = [
    ("dropout", "only training drops out"),
    ("use_checkpoint", "only training stores activations"),
    (
        "use_fp16",
        "32 bits; dtype = \"f16\" beside the steps is the same",
    ),
    (
        "classifier_use_fp16",
        "32 bits, unless [guidance] has dtype = \"f16\"",
    ),
    ("use_kl", "a loss of training"),
    ("rescale_learned_sigmas", "a loss of training"),
    ("num_heads_upsample", "--num_head_channels decides"),
];

/// Flags that were given and change nothing, a comment each.
pub(crate) fn without_effect(flags: &Flags) -> Result<String> {
    let mut text = String::new();
    if let Some(launcher) = flags.launcher() {
        // A line's end within quotes would end the comment.
        let launcher: Vec<&str> = launcher.split_whitespace().collect();
        text += &format!(
            "# Without effect here: {} (how the script is started)\n",
            launcher.join(" ")
        );
    }
    let per_head = flags.maybe_count("num_head_channels")?.is_some();
    for (name, why) in WITHOUT_EFFECT {
        if flags.given(name) && (name != "num_heads_upsample" || per_head) {
            text += &format!(
                "# Without effect here: --{name} {} ({why})\n",
                flags.text(name)
            );
        }
    }
    if flags.given("num_heads") && per_head {
        text += &format!(
            "# Without effect: --num_heads {} (--num_head_channels decides)\n",
            flags.text("num_heads")
        );
    }
    Ok(text)
}

/// That a published file is not here, where the flag names one.
pub(crate) fn to_fetch(flags: &Flags, name: &str, path: Option<&PathBuf>) -> String {
    match path.and_then(|path| path.to_str()?.strip_prefix(SCHEME)) {
        Some(fetched) if flags.given(name) => format!(
            "# --{name} {} is not here, and published: runner fetch {fetched}\n",
            flags.text(name)
        ),
        _ => String::new(),
    }
}

pub(crate) fn unet(flags: &Flags, resolution: usize, channel_mult: Vec<f64>) -> Result<UnetArch> {
    let per_head = flags.maybe_count("num_head_channels")?;
    let heads_up = flags.maybe_count("num_heads_upsample")?;
    let trunk = Trunk {
        resolution,
        in_channels: 3,
        channels: flags.count("num_channels", 1)?,
        res_blocks: flags.count("num_res_blocks", 1)?,
        channel_mult,
        attention: flags.list("attention_resolutions")?,
        heads: match per_head {
            Some(_) => 1,
            None => flags.count("num_heads", 1)?,
        },
        channels_per_head: per_head,
        qkv_order: if flags.flag("use_new_attention_order")? {
            QkvOrder::New
        } else {
            QkvOrder::Legacy
        },
        adagn: flags.flag("use_scale_shift_norm")?,
        updown: flags.flag("resblock_updown")?,
        conv_resample: true,
        norm_groups: release_groups(),
        rescale_residual: false,
    };
    Ok(UnetArch {
        trunk,
        heads_up: heads_up.filter(|_| per_head.is_none()),
        // A hard constant of the release.
        classes: flags.flag("class_cond")?.then_some(1000),
        null_class: false,
        learn_sigma: flags.flag("learn_sigma")?,
        low_resolution: None,
    })
}

/// `--channel_mult`, whole numbers only, or the release's own of an image size.
pub(crate) fn multipliers(flags: &Flags, size: &str, resolution: usize) -> Result<Vec<f64>> {
    if !flags.text("channel_mult").is_empty() {
        let list = flags.list("channel_mult")?;
        return Ok(list.into_iter().map(|m| m as f64).collect());
    }
    ensure!(
        [64, 128, 256, 512].contains(&resolution),
        "--{size} {resolution} has no channel multipliers of its own\nhint: give them with --channel_mult, or use 64, 128, 256 or 512"
    );
    Ok(presets::multipliers(resolution).to_vec())
}

pub(crate) fn process(flags: &Flags) -> Result<Process> {
    Ok(Process {
        schedule: match flags.text("noise_schedule") {
            "linear" => NoiseSchedule::Linear,
            "cosine" => NoiseSchedule::Cosine,
            other => bail!("--noise_schedule {other} is neither linear nor cosine"),
        },
        timesteps: flags.count("diffusion_steps", 1)?,
        rescale_timesteps: flags.flag("rescale_timesteps")?,
        predict: Prediction::of_x0(flags.flag("predict_xstart")?),
    })
}

/// The path of a flag where it exists; else the published file of that name.
pub(crate) fn weights(flags: &Flags, name: &str, there: &dyn Fn(&Path) -> bool) -> Result<PathBuf> {
    ensure!(
        !flags.text(name).is_empty(),
        "--{name} is missing: there are no weights to draw with"
    );
    let path = PathBuf::from(flags.text(name));
    Ok(match catalogue::of_path(&path) {
        Some(entry) if !there(&path) => PathBuf::from(format!("{SCHEME}{}", entry.name)),
        // Named even where it is not: the plan tells what cannot be read.
        _ => path,
    })
}

pub(crate) fn sample(flags: &Flags) -> Result<Sample> {
    let respacing = flags.text("timestep_respacing");
    let sampler = if flags.flag("use_ddim")? {
        Sampler::Ddim
    } else {
        Sampler::Ddpm
    };
    let steps = match (respacing, respacing.parse()) {
        ("", _) => Steps::Count(flags.count("diffusion_steps", 1)?),
        (_, Ok(count)) => Steps::Count(count),
        (text, Err(_)) => Steps::Sections(text.to_string()),
    };
    Ok(Sample {
        classes: Classes::Rule(ClassRule::Random),
        clip: flags.flag("clip_denoised")?,
        batch: flags.count("batch_size", 1)?,
        ..Sample::plain(sampler, steps, flags.count("num_samples", 1)?)
    })
}
