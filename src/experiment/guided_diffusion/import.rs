//! guided-diffusion's flags → the experiment file that draws the same images.

use crate::experiment::catalogue;
use crate::experiment::file::experiment::{
    ArchChanges, Experiment, Guidance, Model, ProcessChanges, Sampling,
};
use crate::experiment::grid::fill::file_of;
use crate::experiment::guided_diffusion::flags::Flags;
use crate::experiment::guided_diffusion::import_flags::{
    multipliers, process, sample, to_fetch, unet, weights, without_effect,
};
use crate::experiment::guided_diffusion::import_upsample;
use crate::experiment::nets::arch::{
    Arch, ClassifierArch, Pool, Prediction, Process, QkvOrder, Trunk, UnetArch, release_groups,
};
use crate::experiment::nets::presets;
use crate::experiment::nets::resolve::resolve;
use anyhow::{Result, bail, ensure};
use std::path::Path;

/// The file's text. `there` says whether a path exists: published files that do not are fetched.
pub fn import(flags: &str, there: &dyn Fn(&Path) -> bool) -> Result<String> {
    let flags = Flags::read(flags)?;
    if ["large_size", "small_size", "base_samples"]
        .iter()
        .any(|name| flags.given(name))
    {
        return import_upsample::table(&flags, there);
    }
    let guided = flags.given("classifier_path");
    if !guided {
        ensure!(
            !flags.given("classifier_scale"),
            "--classifier_scale needs --classifier_path"
        );
    }
    let resolution = flags.count("image_size", 1)?;
    let mults = multipliers(&flags, "image_size", resolution)?;
    let (arch, process) = (unet(&flags, resolution, mults)?, process(&flags)?);
    let mut model = model(&arch, &process, flags.text("model_path"))?;
    model.checkpoint = Some(weights(&flags, "model_path", there)?);
    let released = model.resolution.is_none() && model.arch.is_empty() && model.process.is_empty();
    let experiment = Experiment {
        name: match &model.preset {
            Some(preset) if released && guided => format!("{preset}-guided"),
            Some(preset) if released => preset.clone(),
            _ => "imported".to_string(),
        },
        model,
        guidance: if guided {
            Some(guidance(&flags, there)?)
        } else {
            None
        },
        sample: Some(Sampling::Net(sample(&flags)?)),
        ..Experiment::default()
    };
    experiment.check()?;
    Ok(format!(
        "{}{}",
        remarks(&flags, &experiment)?,
        file_of(&experiment)?
    ))
}

/// What the file cannot say in its values.
fn remarks(flags: &Flags, experiment: &Experiment) -> Result<String> {
    let mut text = "# From guided-diffusion's flags.\n".to_string();
    text += &without_effect(flags)?;
    let classifier = flags.given("classifier_path");
    if !classifier {
        for name in [
            "classifier_width",
            "classifier_depth",
            "classifier_attention_resolutions",
            "classifier_use_scale_shift_norm",
            "classifier_resblock_updown",
            "classifier_pool",
        ] {
            if flags.given(name) {
                text += &format!(
                    "# Without effect: --{name} {} (no --classifier_path)\n",
                    flags.text(name)
                );
            }
        }
    }
    let guide = experiment.guidance.as_ref();
    let guide = guide.and_then(|g| g.checkpoint.as_ref());
    text += &to_fetch(flags, "model_path", experiment.model.checkpoint.as_ref());
    text += &to_fetch(flags, "classifier_path", guide);
    text += "# guided-diffusion has no seed: the images are others of the same distribution.\n";
    Ok(text)
}

/// The preset that is this net, or the nearest in size and what differs from it.
fn model(arch: &UnetArch, process: &Process, path: &str) -> Result<Model> {
    let whole = Arch::Unet(arch.clone());
    let same = |name: &&&str| presets::arch(name).is_some_and(|(a, p)| a == whole && p == *process);
    // Several releases are one architecture; the file's name tells which is meant.
    let file = catalogue::of_path(Path::new(path)).map_or("", |entry| entry.name);
    let mut equal = presets::NAMES.iter().filter(same);
    let named = equal.clone().find(|name| file.starts_with(**name));
    if let Some(preset) = named.or_else(|| equal.next()) {
        return Ok(Model {
            preset: Some(preset.to_string()),
            ..Model::default()
        });
    }
    let (preset, resolution) = match arch.trunk.resolution {
        128 => ("imagenet128", None),
        256 => ("imagenet256", None),
        512 => ("imagenet512", None),
        64 => ("imagenet64", None),
        other => ("imagenet64", Some(other)),
    };
    let mut model = Model {
        preset: Some(preset.to_string()),
        resolution,
        ..Model::default()
    };
    if let Some((Arch::Unet(base), base_process)) = presets::arch(preset) {
        model.arch = arch_changes(&base, arch);
        model.process = process_changes(&base_process, process);
    }
    let meant = resolve(&model, None)?;
    ensure!(
        meant == (whole, Some(process.clone())),
        "these flags describe a net that no experiment file does"
    );
    Ok(model)
}

fn arch_changes(from: &UnetArch, to: &UnetArch) -> ArchChanges {
    fn changed<T: PartialEq + Clone>(from: &T, to: &T) -> Option<T> {
        (from != to).then(|| to.clone())
    }
    let (a, b) = (&from.trunk, &to.trunk);
    let split = (a.heads, a.channels_per_head) != (b.heads, b.channels_per_head);
    ArchChanges {
        channels: changed(&a.channels, &b.channels),
        res_blocks: changed(&a.res_blocks, &b.res_blocks),
        channel_mult: changed(&a.channel_mult, &b.channel_mult),
        attention: changed(&a.attention, &b.attention),
        heads: (split && b.channels_per_head.is_none()).then_some(b.heads),
        channels_per_head: b.channels_per_head.filter(|_| split),
        heads_up: to.heads_up,
        qkv_order: changed(&a.qkv_order, &b.qkv_order),
        adagn: changed(&a.adagn, &b.adagn),
        updown: changed(&a.updown, &b.updown),
        classes: (from.classes != to.classes).then_some(to.classes.unwrap_or(0)),
        learn_sigma: changed(&from.learn_sigma, &to.learn_sigma),
        ..ArchChanges::default()
    }
}

fn process_changes(from: &Process, to: &Process) -> ProcessChanges {
    ProcessChanges {
        schedule: (from.schedule != to.schedule).then_some(to.schedule),
        timesteps: (from.timesteps != to.timesteps).then_some(to.timesteps),
        rescale_timesteps: (from.rescale_timesteps != to.rescale_timesteps)
            .then_some(to.rescale_timesteps),
        // The release's flag knows these two.
        predict_x0: (from.predict != to.predict).then_some(to.predict == Prediction::X0),
        predict: None,
    }
}

fn guidance(flags: &Flags, there: &dyn Fn(&Path) -> bool) -> Result<Guidance> {
    let resolution = flags.count("image_size", 1)?;
    let checkpoint = weights(flags, "classifier_path", there)?;
    let scale = flags.number("classifier_scale")?;
    // A classifier that was trained here says itself what it is.
    if checkpoint.extension().is_some_and(|e| e == "safetensors") {
        return Ok(Guidance::by(None, checkpoint, scale));
    }
    let arch = Arch::Classifier(classifier(flags, resolution)?);
    let same = |name: &&&str| presets::arch(name).is_some_and(|(a, _)| a == arch);
    match presets::NAMES.iter().find(same) {
        Some(preset) => Ok(Guidance::by(Some(preset.to_string()), checkpoint, scale)),
        None => bail!(
            "the classifier of these flags is none of the released ones\nhint: {}",
            match (resolution, flags.text("classifier_depth")) {
                (64, depth) if depth != "4" => "that of 64 pixels needs --classifier_depth 4",
                _ =>
                    "take the --classifier_... flags out; their defaults are the released classifiers of 128 pixels and more",
            }
        ),
    }
}

fn classifier(flags: &Flags, resolution: usize) -> Result<ClassifierArch> {
    let trunk = Trunk {
        resolution,
        in_channels: 3,
        channels: flags.count("classifier_width", 1)?,
        res_blocks: flags.count("classifier_depth", 1)?,
        channel_mult: presets::multipliers(resolution).to_vec(),
        attention: flags.list("classifier_attention_resolutions")?,
        // Fixed in the release.
        heads: 1,
        channels_per_head: Some(64),
        qkv_order: QkvOrder::Legacy,
        adagn: flags.flag("classifier_use_scale_shift_norm")?,
        updown: flags.flag("classifier_resblock_updown")?,
        conv_resample: true,
        norm_groups: release_groups(),
        rescale_residual: false,
    };
    let pool = match flags.text("classifier_pool") {
        "adaptive" => Pool::Adaptive,
        "attention" => Pool::Attention,
        "spatial" => Pool::Spatial,
        "spatial_v2" => Pool::SpatialV2,
        other => {
            bail!("--classifier_pool {other} is none of adaptive, attention, spatial, spatial_v2")
        }
    };
    Ok(ClassifierArch {
        trunk,
        classes: 1000,
        pool,
    })
}
