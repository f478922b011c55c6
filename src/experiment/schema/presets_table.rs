//! The presets with their shapes, as a table for people.

use crate::experiment::nets::arch::{Arch, NoiseSchedule, QkvOrder, Trunk};
use crate::experiment::nets::presets;
use std::fmt::Display;
use std::fmt::Write as _;

const HEAD: &str = "
## Presets

What `preset` names. The nets of ImageNet and LSUN are the released ones of ADM (arXiv:2105.05233), the others those that ship here. All have AdaGN, BigGAN residual blocks for up and down, 1000 timesteps and 3 image channels, and denoisers a learned variance. `per head` is channels a head; `groups` those of the group normalisations.

| preset | is a | pixels | channels | res_blocks | channel_mult | attention | heads | groups | qkv_order | classes | schedule |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Every preset.
pub fn presets_table() -> String {
    let mut text = HEAD.to_string();
    for name in presets::NAMES {
        let Some((arch, process)) = presets::arch(name) else {
            continue;
        };
        let schedule = match process.schedule {
            NoiseSchedule::Linear => "linear",
            NoiseSchedule::Cosine => "cosine",
        };
        let classes = arch.classes().map_or("none".into(), |n| n.to_string());
        let pixels = match arch.low_resolution() {
            Some(low) => format!("{low} to {}", arch.resolution()),
            None => arch.resolution().to_string(),
        };
        let (shape, schedule) = match (&arch, arch.trunk()) {
            (_, Some(trunk)) => (shape(trunk), schedule),
            (Arch::Features(net), None) => (format!("{} | | | | | | ", net.channels), ""),
            _ => (" | | | | | | ".into(), ""),
        };
        let _ = writeln!(
            text,
            "| `{name}` | {} | {pixels} | {shape} | {classes} | {schedule} |",
            arch.title()
        );
    }
    text
}

fn shape(trunk: &Trunk) -> String {
    let heads = match trunk.channels_per_head {
        Some(channels) => format!("{channels} per head"),
        None => trunk.heads.to_string(),
    };
    let qkv = match trunk.qkv_order {
        QkvOrder::Legacy => "legacy",
        QkvOrder::New => "new",
    };
    format!(
        "{} | {} | {} | {} | {heads} | {} | {qkv}",
        trunk.channels,
        trunk.res_blocks,
        list(&trunk.channel_mult),
        list(&trunk.attention),
        trunk.norm_groups,
    )
}

fn list<T: Display>(values: &[T]) -> String {
    values
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
