//! Group normalisation of maps whose channels lie last, with its gradients.

use super::{lies, maps, rows};
use crate::kernels::cuda::float::{
    Float, Part, aligned, by_type, device, grid, int, kernel, owned, tensor, view, with,
};
use crate::kernels::cuda::norm::EPS;
use crate::kernels::cuda::norm::affine::{Maps, Own, with_maps};
use crate::kernels::gradients::record::apply2;
use crate::kernels::norm::loops::Activation;
use crate::machine::profile::{Operation, span};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use std::sync::OnceLock;

/// Threads of a block.
const THREADS: usize = 256;
/// Channels that a block has at least, where there are as many: what a half's sector of memory holds, twice.
const CHANNELS: usize = 32;
/// Groups that a block has at most.
const GROUPS: usize = 32;

/// Channels that a thread reads at once, of groups of `width`.
fn at_once(width: usize) -> usize {
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
    bundle(width, groups) * width / at_once(width) <= THREADS
}

/// See `kernels::norm::group_norm`: `x [n, c, h, w]` of any float, and its gains and offsets as `norm::affine::both` makes them.
///
/// # Errors
/// Those of the device, and gains that do not fit.
pub fn group_norm(
    x: &Tensor,
    groups: usize,
    both: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let op = NormLast {
        groups,
        silu: activation == Activation::Silu,
        stats: OnceLock::new(),
    };
    maps(&apply2([&rows(x)?, both], op)?)
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
    let (x, silu) = (rows(x)?, activation == Activation::Silu);
    let y = with_maps(x.dim(0)?, own, adaptive, |both| {
        with([&x], |[x]| {
            let (y, _) = by_type!(x.0, forward((groups, silu), x, both))?;
            Ok(owned(y, x.1.shape().clone()))
        })
    })?;
    y.as_ref().map(maps).transpose()
}

/// The operation on rows `[n, h, w, c]`, and gains and offsets `[2, n, c]`.
struct NormLast {
    groups: usize,
    silu: bool,
    /// [n * groups, 2]: mean and 1 / sqrt(variance + eps), kept by the forward pass for the gradients
    stats: OnceLock<Tensor>,
}

/// What both kernels are told of the sizes.
struct Sizes {
    /// Groups of all images.
    count: usize,
    blocks: usize,
    positions: i32,
    channels: i32,
    /// Channels of a group, and groups of a block.
    width: i32,
    bundle: i32,
}

impl Sizes {
    fn of(x: &Shape, groups: usize) -> Result<Sizes> {
        let (n, h, w, channels) = x.dims4()?;
        if groups == 0 || !channels.is_multiple_of(groups) {
            bail!("group_norm: {channels} channels in {groups} groups");
        }
        let width = channels / groups;
        let bundle = bundle(width, groups);
        // The kernels count images times channels in 32 bits.
        int(n * channels)?;
        Ok(Sizes {
            count: n * groups,
            blocks: n * groups.div_ceil(bundle),
            positions: int(h * w)?,
            channels: int(channels)?,
            width: int(width)?,
            bundle: int(bundle)?,
        })
    }
}

/// The result, and mean and 1 / sqrt(variance + eps) of every group `[n * groups, 2]`.
fn forward<T: Float>(
    (groups, silu): (usize, bool),
    x: Part,
    maps: &Maps,
) -> Result<(CudaStorage, Tensor)> {
    let (dev, shape) = (device(x.0), x.1.shape());
    let (s, (n, _, _, channels)) = (Sizes::of(shape, groups)?, shape.dims4()?);
    let x: CudaView<T> = view(x.0, x.1)?;
    if !maps.fit(n, channels) {
        bail!("group_norm: gains do not fit {shape:?}");
    }
    // SAFETY: the kernel writes every element of both.
    let (mut y, mut stats) = unsafe { (dev.alloc::<T>(x.len())?, dev.alloc::<f32>(2 * s.count)?) };
    let (silu, function) = (i32::from(silu), kernel::<T>(dev, "norm_last")?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x);
    maps.push(&mut call);
    call.arg(&mut y).arg(&mut stats).arg(&s.positions);
    call.arg(&s.width).arg(&s.bundle).arg(&silu).arg(&EPS);
    // SAFETY: the arguments are those of `norm_last`, and the sizes are the tensors' and fit it.
    unsafe { call.launch(grid(s.blocks, THREADS as u32)?)? };
    let stats = tensor(stats, &Shape::from((s.count, 2)), dev);
    Ok((CudaStorage::wrap_cuda_slice(y, dev.clone()), stats))
}

fn backward<T: Float>(op: &NormLast, parts: [Part; 4]) -> Result<[Tensor; 2]> {
    let [x, both, stats, dy] = parts;
    let (dev, s) = (device(x.0), Sizes::of(x.1.shape(), op.groups)?);
    let (shape, both_shape) = (x.1.shape(), both.1.shape());
    let (both, stats) = (view::<f32>(both.0, both.1)?, view::<f32>(stats.0, stats.1)?);
    let half = both.len() / 2;
    let (gain, offset) = (both.slice(..half), both.slice(half..));
    let (x, dy): (CudaView<T>, CudaView<T>) = (view(x.0, x.1)?, view(dy.0, dy.1)?);
    if dy.len() != x.len() {
        bail!("group_norm: {} gradients of {} values", dy.len(), x.len());
    }
    // SAFETY: the kernel writes every element of both.
    let (mut dx, mut dboth) = unsafe { (dev.alloc::<T>(x.len())?, dev.alloc::<f32>(both.len())?) };
    let (mut dgain, mut doffset) = dboth.split_at_mut(half);
    let (silu, function) = (i32::from(op.silu), kernel::<T>(dev, "norm_last_grad")?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&gain).arg(&offset).arg(&stats).arg(&dy);
    call.arg(&mut dx).arg(&mut dgain).arg(&mut doffset);
    call.arg(&s.positions).arg(&s.channels).arg(&s.width);
    call.arg(&s.bundle).arg(&silu);
    // SAFETY: the arguments are those of `norm_last_grad`, and the sizes are the tensors' and fit it.
    unsafe { call.launch(grid(s.blocks, THREADS as u32)?)? };
    Ok([tensor(dx, shape, dev), tensor(dboth, both_shape, dev)])
}

impl CustomOp2 for NormLast {
    fn name(&self) -> &'static str {
        "group-norm-last"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's normalisation was given tensors on the CPU")
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let maps = Maps::of_both((s2, l2))?;
        let (y, stats) = by_type!(s1, forward((self.groups, self.silu), (s1, l1), &maps))?;
        self.stats.get_or_init(|| stats);
        Ok((y, l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        both: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(stats) = self.stats.get() else {
            bail!("group_norm: the gradient was asked for before the result")
        };
        let _span = span(Operation::NormBackward);
        let dy = aligned(dy)?;
        let [dx, dboth] = with([x, both, stats, &dy], |parts| {
            by_type!(parts[0].0, backward(self, parts))
        })?;
        Ok((Some(dx), Some(dboth)))
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
