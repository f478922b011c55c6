//! Group normalisation of maps whose channels lie last, with its gradients.

use super::{lies, maps, rows};
use crate::kernels::cuda::float::int;
use crate::kernels::cuda::norm::{MemoryFormat, Sizes, THREADS, at_once, noted, width};
use crate::kernels::norm::affine::Own;
use crate::kernels::norm::loops::Activation;
use candle_core::{Result, Shape, Tensor};

/// Channels that a block has at least, where there are as many: what a half's sector of memory holds, twice.
const CHANNELS: usize = 32;
/// Groups that a block has at most.
const GROUPS: usize = 32;

/// Channels that a thread reads at once, of groups of `width`.
fn together(width: usize) -> usize {
    [4, 2, 1]
        .into_iter()
        .find(|n| width.is_multiple_of(*n))
        .unwrap_or(1)
}

/// Groups of a block.
fn bundle(width: usize, groups: usize) -> usize {
    CHANNELS.div_ceil(width).min(groups).min(GROUPS)
}

/// Whether the kernel takes these groups of `x`, which lies with its channels last.
pub fn fits(x: &Tensor, groups: usize) -> bool {
    let channels = x.dims().get(1).copied().unwrap_or(0);
    if !lies(x) || groups == 0 || channels == 0 || !channels.is_multiple_of(groups) {
        return false;
    }
    let width = channels / groups;
    bundle(width, groups) * width / together(width) <= THREADS
}

/// See `kernels::norm::group_norm`: `x [n, c, h, w]` of any float, and its gains and offsets as
/// `kernels::norm::affine::both` makes them.
///
/// # Errors
/// Those of the device, and gains that do not fit.
pub fn group_norm(
    x: &Tensor,
    groups: usize,
    both: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    maps(&noted::<ChannelsLast>(&rows(x)?, groups, both, activation)?)
}

/// The same where nothing is part of a graph, its affine maps read where they lie; none where something is, or where a map is
/// not f32 on the GPU.
///
/// # Errors
/// Those of the device, and maps that do not fit.
pub fn whole(
    x: &Tensor,
    groups: usize,
    own: Own,
    adaptive: Option<&Tensor>,
    activation: Activation,
) -> Result<Option<Tensor>> {
    if x.track_op() {
        return Ok(None);
    }
    let y = at_once::<ChannelsLast>(&rows(x)?, groups, (own, adaptive), activation)?;
    y.as_ref().map(maps).transpose()
}

/// Rows `[n, h, w, c]`: a block has some groups of an image.
struct ChannelsLast;

impl MemoryFormat for ChannelsLast {
    const FORWARD: &'static str = "norm_last";
    const BACKWARD: &'static str = "norm_last_grad";

    fn sizes(x: &Shape, groups: usize) -> Result<Sizes> {
        let (images, h, w, channels) = x.dims4()?;
        let width = width(channels, groups)?;
        let bundle = bundle(width, groups);
        // The kernels count images times channels in 32 bits.
        int(images * channels)?;
        let (positions, each, group) = (int(h * w)?, int(width)?, int(bundle)?);
        Ok(Sizes {
            images,
            channels,
            blocks: images * groups.div_ceil(bundle),
            forward: vec![positions, each, group],
            backward: vec![positions, int(channels)?, each, group],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_a_sector_of_channels_and_no_more_groups_than_it_keeps() {
        for (channels, groups, want) in [
            (192, 32, 6),
            (384, 32, 3),
            (1536, 32, 1),
            (32, 32, 32),
            (64, 64, 32),
        ] {
            assert_eq!(
                bundle(channels / groups, groups),
                want,
                "{channels} channels"
            );
        }
    }
}
