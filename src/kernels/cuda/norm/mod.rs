//! Group normalisation with its affine maps and SiLU: one launch forwards, one backwards, and one of each for the maps where
//! gradients are wanted.

pub mod affine;

use super::float::{
    Float, Part, aligned, by_type, device, grid, int, kernel, owned, tensor, view, with,
};
use crate::kernels::gradients::record::apply2;
use crate::kernels::norm::loops::Activation;
use crate::machine::profile::{Operation, span};
use affine::{Maps, Own, with_maps};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use std::sync::OnceLock;

pub(super) const EPS: f32 = 1e-5;
/// Threads of a block; a block has a group of an image.
const THREADS: u32 = 256;

/// Whether the kernel takes groups of this tensor's channels: four values at a time.
pub fn fits(x: &Tensor) -> bool {
    super::takes(&[x]) && x.dims().len() > 2 && x.dims()[2..].iter().product::<usize>() % 4 == 0
}

/// See `kernels::norm::group_norm`: `x [n, c, ...]` of any float, and its gains and offsets as [`affine::both`] makes them.
///
/// # Errors
/// Those of the device, and gains that do not fit.
pub fn group_norm(
    x: &Tensor,
    groups: usize,
    both: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let op = GroupNorm {
        groups,
        silu: activation == Activation::Silu,
        stats: OnceLock::new(),
    };
    apply2([&aligned(x)?, both], op)
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
    let (x, silu) = (aligned(x)?, activation == Activation::Silu);
    with_maps(x.dim(0)?, own, adaptive, |maps| {
        with([&x], |[x]| {
            let (y, _) = by_type!(x.0, forward((groups, silu), x, maps))?;
            Ok(owned(y, x.1.shape().clone()))
        })
    })
}

struct GroupNorm {
    groups: usize,
    silu: bool,
    /// [n * groups, 2]: mean and 1 / sqrt(variance + eps), kept by the forward pass for the gradients
    stats: OnceLock<Tensor>,
}

/// Groups in all, values of a channel, channels of a group.
struct Sizes {
    count: usize,
    plane: i32,
    width: i32,
}

impl Sizes {
    fn of(shape: &Shape, groups: usize) -> Result<Sizes> {
        let dims = shape.dims();
        let (n, channels) = match dims {
            [n, c, _, ..] => (*n, *c),
            _ => bail!("group_norm: {shape:?} is not [n, c, ...]"),
        };
        if groups == 0 || !channels.is_multiple_of(groups) {
            bail!("group_norm: {channels} channels in {groups} groups");
        }
        let (plane, width) = (dims[2..].iter().product::<usize>(), channels / groups);
        // The kernel counts the elements of a group in 32 bits.
        int(plane * width)?;
        Ok(Sizes {
            count: n * groups,
            plane: int(plane)?,
            width: int(width)?,
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
    let s = Sizes::of(shape, groups)?;
    let x: CudaView<T> = view(x.0, x.1)?;
    if !maps.fit(shape.dims()[0], shape.dims()[1]) {
        bail!("group_norm: gains do not fit {shape:?}");
    }
    // SAFETY: the kernel writes every element of both.
    let (mut y, mut stats) = unsafe {
        (
            dev.alloc::<T>(shape.elem_count())?,
            dev.alloc::<f32>(2 * s.count)?,
        )
    };
    let (silu, function) = (i32::from(silu), kernel::<T>(dev, "group_norm")?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x);
    maps.push(&mut call);
    call.arg(&mut y).arg(&mut stats);
    call.arg(&s.plane).arg(&s.width).arg(&silu).arg(&EPS);
    // SAFETY: the arguments are those of `group_norm`, and the sizes are the tensors'.
    unsafe { call.launch(grid(s.count, THREADS)?)? };
    let stats = tensor(stats, &Shape::from((s.count, 2)), dev);
    Ok((CudaStorage::wrap_cuda_slice(y, dev.clone()), stats))
}

fn backward<T: Float>(op: &GroupNorm, parts: [Part; 4]) -> Result<[Tensor; 2]> {
    let [x, both, stats, dy] = parts;
    let (dev, s) = (device(x.0), Sizes::of(x.1.shape(), op.groups)?);
    let (shape, maps) = (x.1.shape(), both.1.shape());
    let (both, stats) = (view::<f32>(both.0, both.1)?, view::<f32>(stats.0, stats.1)?);
    let half = both.len() / 2;
    let (gain, offset) = (both.slice(..half), both.slice(half..));
    let (x, dy): (CudaView<T>, CudaView<T>) = (view(x.0, x.1)?, view(dy.0, dy.1)?);
    // SAFETY: the kernel writes every element of both.
    let (mut dx, mut dboth) = unsafe {
        (
            dev.alloc::<T>(shape.elem_count())?,
            dev.alloc::<f32>(both.len())?,
        )
    };
    let (mut dgain, mut doffset) = dboth.split_at_mut(half);
    let (silu, function) = (i32::from(op.silu), kernel::<T>(dev, "group_norm_grad")?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&gain).arg(&offset).arg(&stats).arg(&dy);
    call.arg(&mut dx).arg(&mut dgain).arg(&mut doffset);
    call.arg(&s.plane).arg(&s.width).arg(&silu);
    // SAFETY: the arguments are those of `group_norm_grad`, and the sizes are the tensors'.
    unsafe { call.launch(grid(s.count, THREADS)?)? };
    Ok([tensor(dx, shape, dev), tensor(dboth, maps, dev)])
}

impl CustomOp2 for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
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
