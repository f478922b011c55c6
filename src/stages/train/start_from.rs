//! A net that starts from another's weights: the same net to train on, one more finely resolved, grown around it, or
//! a super-resolution net, whose trunk is a denoiser's.

use crate::experiment::nets::arch::{Arch, Card};
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// The first convolution.
const STEM: &str = "input_blocks.0.0";

/// What was taken over.
pub struct Grown {
    /// Blocks of the new net that start from the old one's, and all of its blocks.
    pub taken: usize,
    pub blocks: usize,
    /// The old stem was widened to see the small image too.
    pub widened: bool,
}

/// Fills `weights` (names and shapes of `arch`) with those of the checkpoint wherever a whole block has the same
/// tensors in the same shapes; the others stay as they are. Levels are matched from the coarsest grid upward, so a
/// net with more levels takes a smaller one over as its inside. A stem that sees more channels than the old one, as a
/// super-resolution net's does, keeps the old one's weights for the first of them and starts at zero for the others: at
/// its first step such a net answers as the old one did, whatever the small image shows.
///
/// # Errors
/// Where no block fits.
pub fn grow(weights: &mut [(String, Tensor)], arch: &Arch, path: &Path) -> Result<Grown> {
    let file = Checkpoint::open(path)?;
    let card = card(&file).with_context(|| format!("reading {}", path.display()))?;
    let shift = shift(arch, card.as_ref());
    let mut own: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, (name, _)) in weights.iter().enumerate() {
        own.entry(block(name).to_string()).or_default().push(i);
    }
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for name in file.names() {
        *sizes.entry(block(name)).or_default() += 1;
    }
    let (mut taken, mut widened) = (0, false);
    for (name, places) in &own {
        let Some(old) = former(name, shift) else {
            continue;
        };
        let source = |own: &str| format!("{old}{}", &own[name.len()..]);
        let same = |&i: &usize| {
            let (own, tensor) = &weights[i];
            let shape = file.shapes().get(&source(own));
            shape.is_some_and(|shape| shape == tensor.dims() || widens(name, shape, tensor.dims()))
        };
        if sizes.get(old.as_str()) != Some(&places.len()) || !places.iter().all(same) {
            continue;
        }
        for &i in places {
            let (own, tensor) = &mut weights[i];
            let old = file.tensor(&source(own), &Device::Cpu)?;
            widened |= old.dims() != tensor.dims();
            *tensor = widen(old, tensor.dims())?;
        }
        taken += 1;
    }
    if taken == 0 {
        bail!(
            "train.start_from = \"{}\": none of its blocks fits this net\nhint: the two nets must share their widths from the coarsest grid upward; `runner inspect` prints them",
            path.display()
        );
    }
    let blocks = own.len();
    Ok(Grown {
        taken,
        blocks,
        widened,
    })
}

/// Whether this block is the stem and differs from the old one only in that it sees more channels.
fn widens(block: &str, old: &[usize], new: &[usize]) -> bool {
    let &[out, channels, h, w] = new else {
        return false;
    };
    block == STEM && matches!(*old, [o, c, y, x] if (o, y, x) == (out, h, w) && c < channels)
}

/// [out, c, h, w] → [out, channels, h, w] with zeros behind; any other tensor as it is.
fn widen(old: Tensor, to: &[usize]) -> Result<Tensor> {
    match to {
        [_, channels, _, _] if old.dim(1)? < *channels => {
            let behind = channels - old.dim(1)?;
            Ok(old.pad_with_zeros(1, 0, behind)?)
        }
        _ => Ok(old),
    }
}

/// How many input blocks the new net has before the old one's first level; 0 where a net has no levels to tell.
fn shift(arch: &Arch, card: Option<&Card>) -> usize {
    let (Some(new), Some(old)) = (arch.trunk(), card.and_then(|c| c.arch.trunk())) else {
        return 0;
    };
    let more = new
        .channel_mult
        .len()
        .saturating_sub(old.channel_mult.len());
    more * (new.res_blocks + 1)
}

/// `input_blocks.3.0` of `input_blocks.3.0.in_layers.0.weight`: the layers that only make sense together.
fn block(name: &str) -> &str {
    let parts = match name.split('.').next() {
        Some("input_blocks" | "output_blocks") => 3,
        Some("middle_block") => 2,
        _ => 1,
    };
    match name.match_indices('.').nth(parts - 1) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}

/// The old net's name of a block. Input blocks are counted from the finest grid, but for the stem; output blocks from
/// the coarsest.
fn former(block: &str, shift: usize) -> Option<String> {
    let Some(rest) = block.strip_prefix("input_blocks.") else {
        return Some(block.to_string());
    };
    let (index, layer) = rest.split_once('.')?;
    let index: usize = index.parse().ok()?;
    match index {
        0 => Some(block.to_string()),
        _ => {
            let old = index.checked_sub(shift).filter(|old| *old > 0)?;
            Some(format!("input_blocks.{old}.{layer}"))
        }
    }
}
