//! A model's options → its architecture and process: a preset or the checkpoint's own card, then the changes over it.

use crate::experiment::file::experiment::{ArchChanges, Kind, Model};
use crate::experiment::nets::arch::{
    Arch, Card, ClassifierArch, FeatureArch, Process, Trunk, UnetArch,
};
use crate::experiment::nets::presets;
use anyhow::{Result, bail, ensure};

/// What `model` means, given what its checkpoint says of itself.
pub fn resolve(model: &Model, card: Option<&Card>) -> Result<(Arch, Option<Process>)> {
    let preset = model.preset.as_deref().map(by_name).transpose()?;
    let (mut arch, mut process) = match (card, preset) {
        (Some(card), Some((arch, _))) => {
            let mut plain = arch;
            set_resolution(&mut plain, card.arch.resolution());
            // A net trained by this very file has the file's changes in its card.
            let mut changed = plain.clone();
            change(&mut changed, &model.arch)?;
            ensure!(
                plain == card.arch || changed == card.arch,
                "the checkpoint's own card differs from preset `{}`\nhint: take `preset` out; the card says it all",
                model.preset.as_deref().unwrap_or_default()
            );
            (card.arch.clone(), card.process.clone())
        }
        (Some(card), None) => (card.arch.clone(), card.process.clone()),
        (None, Some((arch, process))) => (arch, Some(process)),
        (None, None) => bail!(
            "the model has neither a preset nor a checkpoint that says what it is\nhint: set `preset`, one of {}",
            presets::NAMES.join(", ")
        ),
    };
    check_kind(model, &arch)?;
    if let Some(asked) = model.resolution {
        match card {
            Some(_) => ensure!(
                asked == arch.resolution(),
                "model.resolution = {asked}, and the checkpoint was trained at {}",
                arch.resolution()
            ),
            None => set_resolution(&mut arch, asked),
        }
    }
    change(&mut arch, &model.arch)?;
    if let Arch::SuperRes(net) = &arch {
        check_low(net)?;
    }
    if matches!(arch, Arch::Features(_)) {
        process = None;
    }
    if let Some(process) = &mut process {
        let changes = &model.process;
        put(&mut process.schedule, changes.schedule);
        put(&mut process.timesteps, changes.timesteps);
        put(&mut process.rescale_timesteps, changes.rescale_timesteps);
        put(&mut process.predict, changes.prediction());
    }
    Ok((arch, process))
}

fn change(arch: &mut Arch, changes: &ArchChanges) -> Result<()> {
    match arch {
        Arch::Unet(unet) => {
            refuse(
                "a UNet",
                &[("low_resolution", changes.low_resolution.is_some())],
            )?;
            change_unet(unet, changes)
        }
        Arch::SuperRes(unet) => {
            if changes.low_resolution.is_some() {
                unet.low_resolution = changes.low_resolution;
            }
            change_unet(unet, changes)
        }
        Arch::Classifier(net) => change_classifier(net, changes),
        Arch::Features(net) => change_features(net, changes),
    }
}

fn by_name(name: &str) -> Result<(Arch, Process)> {
    match presets::arch(name) {
        Some(found) => Ok(found),
        None => bail!(
            "there is no preset `{name}`; the presets are {}",
            presets::NAMES.join(", ")
        ),
    }
}

fn put<T: Clone>(value: &mut T, change: Option<T>) {
    if let Some(change) = change {
        *value = change;
    }
}

fn set_resolution(arch: &mut Arch, to: usize) {
    match arch {
        Arch::Unet(net) | Arch::SuperRes(net) => net.trunk.resolution = to,
        Arch::Classifier(net) => net.trunk.resolution = to,
        Arch::Features(net) => net.resolution = to,
    }
}

fn check_kind(model: &Model, arch: &Arch) -> Result<()> {
    let (kind, name) = match arch {
        Arch::Unet(_) => (Kind::Unet, "unet"),
        Arch::SuperRes(_) => (Kind::SuperRes, "superres"),
        Arch::Classifier(_) => (Kind::Classifier, "classifier"),
        Arch::Features(_) => (Kind::Features, "features"),
    };
    let asked = format!("{:?}", model.kind).to_lowercase();
    ensure!(
        kind == model.kind,
        "a net of kind \"{asked}\" is needed, and this one is of kind \"{name}\"\nhint: set `model.kind = \"{name}\"`, or choose another net"
    );
    Ok(())
}

/// The small image's size, which no tensor tells.
fn check_low(net: &UnetArch) -> Result<()> {
    let side = net.trunk.resolution;
    let Some(low) = net.low_resolution else {
        bail!(
            "a super-resolution net needs the size it starts from\nhint: set `low_resolution` in its arch"
        )
    };
    ensure!(
        low > 0 && low < side && side.is_multiple_of(low),
        "low_resolution = {low} must divide the {side} pixels that a super-resolution net makes"
    );
    Ok(())
}

fn change_trunk(trunk: &mut Trunk, changes: &ArchChanges) {
    put(&mut trunk.in_channels, changes.in_channels);
    put(&mut trunk.channels, changes.channels);
    put(&mut trunk.res_blocks, changes.res_blocks);
    put(&mut trunk.channel_mult, changes.channel_mult.clone());
    put(&mut trunk.attention, changes.attention.clone());
    if let Some(heads) = changes.heads.filter(|heads| *heads > 0) {
        (trunk.heads, trunk.channels_per_head) = (heads, None);
    }
    if let Some(per_head) = changes.channels_per_head.filter(|per| *per > 0) {
        trunk.channels_per_head = Some(per_head);
    }
    put(&mut trunk.qkv_order, changes.qkv_order);
    put(&mut trunk.adagn, changes.adagn);
    put(&mut trunk.updown, changes.updown);
    put(&mut trunk.conv_resample, changes.conv_resample);
    put(&mut trunk.norm_groups, changes.norm_groups);
    put(&mut trunk.rescale_residual, changes.rescale_residual);
}

fn change_unet(net: &mut UnetArch, changes: &ArchChanges) -> Result<()> {
    change_trunk(&mut net.trunk, changes);
    refuse("a UNet", &[("pool", changes.pool.is_some())])?;
    if changes.heads_up.is_some() {
        net.heads_up = changes.heads_up;
    }
    if let Some(classes) = changes.classes {
        net.classes = (classes > 0).then_some(classes);
    }
    put(&mut net.learn_sigma, changes.learn_sigma);
    put(&mut net.null_class, changes.null_class);
    ensure!(
        !net.null_class || net.classes.is_some(),
        "a class that stands for none is asked for, and the net knows no classes\nhint: take `label_dropout` or `null_class` out, or set `classes`"
    );
    Ok(())
}

fn change_classifier(net: &mut ClassifierArch, changes: &ArchChanges) -> Result<()> {
    change_trunk(&mut net.trunk, changes);
    refuse(
        "a classifier",
        &[
            ("heads_up", changes.heads_up.is_some()),
            ("learn_sigma", changes.learn_sigma.is_some()),
            ("null_class", changes.null_class.is_some()),
            ("low_resolution", changes.low_resolution.is_some()),
        ],
    )?;
    ensure!(
        changes.classes != Some(0),
        "a classifier needs classes, and model.arch.classes = 0"
    );
    put(&mut net.classes, changes.classes);
    put(&mut net.pool, changes.pool);
    Ok(())
}

fn change_features(net: &mut FeatureArch, changes: &ArchChanges) -> Result<()> {
    let known = ArchChanges {
        channels: changes.channels,
        classes: changes.classes,
        ..ArchChanges::default()
    };
    ensure!(
        *changes == known,
        "of [model.arch], a feature net takes `channels` and `classes` only"
    );
    ensure!(
        changes.classes != Some(0),
        "a feature net needs classes, and model.arch.classes = 0"
    );
    put(&mut net.channels, changes.channels);
    put(&mut net.classes, changes.classes);
    Ok(())
}

/// An option that this net does not have would be silently without effect.
fn refuse(net: &str, options: &[(&str, bool)]) -> Result<()> {
    for (name, set) in options {
        ensure!(!set, "{net} has no model.arch.{name}");
    }
    Ok(())
}
