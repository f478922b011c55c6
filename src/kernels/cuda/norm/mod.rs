//! Group normalisation with its affine maps and SiLU: one launch forwards, one backwards, and one of each for the maps where
//! gradients are wanted. Kernels for maps of other memory formats are called in the same way.

pub mod affine;

use super::float::{
    Float, Part, aligned, by_type, device, grid, int, kernel, owned, tensor, view, with,
};
use crate::kernels::gradients::record::apply2;
use crate::kernels::norm::affine::Own;
use crate::kernels::norm::loops::Activation;
use crate::machine::profile::{Operation, span};
use affine::{Maps, with_maps};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use std::marker::PhantomData;
use std::sync::OnceLock;

const EPS: f32 = 1e-5;
/// Threads of a block.
pub(super) const THREADS: usize = 256;

/// How maps lie in memory: their kernels, and what these are told of the sizes.
pub(super) trait MemoryFormat: Send + Sync + 'static {
    /// Called with x, the affine maps, y, statistics, `Sizes::forward`, whether SiLU follows, and eps.
    const FORWARD: &'static str;
    /// Called with x, gains, offsets, statistics, dy, the gradients of the first three, `Sizes::backward`, and SiLU.
    const BACKWARD: &'static str;

    /// Of maps of this shape, as they lie.
    ///
    /// # Errors
    /// Where they have no such groups, or are larger than the kernels count.
    fn sizes(x: &Shape, groups: usize) -> Result<Sizes>;
}

pub(super) struct Sizes {
    pub images: usize,
    pub channels: usize,
    /// Blocks of threads.
    pub blocks: usize,
    pub forward: Vec<i32>,
    pub backward: Vec<i32>,
}

/// Channels of a group.
///
/// # Errors
/// Where the groups are not equal.
pub(super) fn width(channels: usize, groups: usize) -> Result<usize> {
    if groups == 0 || !channels.is_multiple_of(groups) {
        bail!("group_norm: {channels} channels in {groups} groups");
    }
    Ok(channels / groups)
}

/// Maps `[n, c, ...]`, one plane behind the other: a block has a group of an image.
struct Planes;

impl MemoryFormat for Planes {
    const FORWARD: &'static str = "group_norm";
    const BACKWARD: &'static str = "group_norm_grad";

    fn sizes(x: &Shape, groups: usize) -> Result<Sizes> {
        let (images, channels, planes) = match x.dims() {
            [n, c, planes @ ..] if !planes.is_empty() => (*n, *c, planes),
            _ => bail!("group_norm: {x:?} is not [n, c, ...]"),
        };
        let (plane, width) = (planes.iter().product::<usize>(), width(channels, groups)?);
        // The kernel counts the elements of a group in 32 bits.
        int(plane * width)?;
        let told = vec![int(plane)?, int(width)?];
        Ok(Sizes {
            images,
            channels,
            blocks: images * groups,
            forward: told.clone(),
            backward: told,
        })
    }
}

/// Whether the kernel takes groups of this tensor's channels: four values at a time.
pub fn fits(x: &Tensor) -> bool {
    super::takes(&[x]) && x.dims().len() > 2 && x.dims()[2..].iter().product::<usize>() % 4 == 0
}

/// See `kernels::norm::group_norm`: `x [n, c, ...]` of any float, and its gains and offsets as `kernels::norm::affine::both`
/// makes them.
///
/// # Errors
/// Those of the device, and gains that do not fit.
pub fn group_norm(
    x: &Tensor,
    groups: usize,
    both: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    noted::<Planes>(&aligned(x)?, groups, both, activation)
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
    at_once::<Planes>(&aligned(x)?, groups, (own, adaptive), activation)
}

/// [`group_norm`] of `x` as it lies.
pub(super) fn noted<M: MemoryFormat>(
    x: &Tensor,
    groups: usize,
    both: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let op = GroupNorm::<M> {
        groups,
        silu: activation == Activation::Silu,
        stats: OnceLock::new(),
        format: PhantomData,
    };
    apply2([x, both], op)
}

/// [`whole`] of `x` as it lies, part of no graph.
pub(super) fn at_once<M: MemoryFormat>(
    x: &Tensor,
    groups: usize,
    (own, adaptive): (Own, Option<&Tensor>),
    activation: Activation,
) -> Result<Option<Tensor>> {
    let (n, silu) = (x.dim(0)?, activation == Activation::Silu);
    with_maps(n, own, adaptive, |maps| {
        with([x], |[x]| {
            let (y, _) = by_type!(x.0, forward<M>((groups, silu), x, maps))?;
            Ok(owned(y, x.1.shape().clone()))
        })
    })
}

struct GroupNorm<M> {
    groups: usize,
    silu: bool,
    /// [n * groups, 2]: mean and 1 / sqrt(variance + eps), kept by the forward pass for the gradients
    stats: OnceLock<Tensor>,
    format: PhantomData<M>,
}

/// The result, and mean and 1 / sqrt(variance + eps) of every group `[n * groups, 2]`.
fn forward<M: MemoryFormat, T: Float>(
    (groups, silu): (usize, bool),
    x: Part,
    maps: &Maps,
) -> Result<(CudaStorage, Tensor)> {
    let (dev, shape) = (device(x.0), x.1.shape());
    let s = M::sizes(shape, groups)?;
    let (x, count): (CudaView<T>, usize) = (view(x.0, x.1)?, s.images * groups);
    if !maps.fit(s.images, s.channels) {
        bail!("group_norm: gains do not fit {shape:?}");
    }
    // SAFETY: the kernel writes every element of both.
    let (mut y, mut stats) = unsafe { (dev.alloc::<T>(x.len())?, dev.alloc::<f32>(2 * count)?) };
    let (silu, function) = (i32::from(silu), kernel::<T>(dev, M::FORWARD)?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x);
    maps.push(&mut call);
    call.arg(&mut y).arg(&mut stats);
    for size in &s.forward {
        call.arg(size);
    }
    call.arg(&silu).arg(&EPS);
    // SAFETY: the arguments are those of the kernel, and the sizes are the tensors' and fit it.
    unsafe { call.launch(grid(s.blocks, THREADS as u32)?)? };
    let stats = tensor(stats, &Shape::from((count, 2)), dev);
    Ok((CudaStorage::wrap_cuda_slice(y, dev.clone()), stats))
}

fn backward<M: MemoryFormat, T: Float>(op: &GroupNorm<M>, parts: [Part; 4]) -> Result<[Tensor; 2]> {
    let [x, both, stats, dy] = parts;
    let (dev, s) = (device(x.0), M::sizes(x.1.shape(), op.groups)?);
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
    let (silu, function) = (i32::from(op.silu), kernel::<T>(dev, M::BACKWARD)?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&gain).arg(&offset).arg(&stats).arg(&dy);
    call.arg(&mut dx).arg(&mut dgain).arg(&mut doffset);
    for size in &s.backward {
        call.arg(size);
    }
    call.arg(&silu);
    // SAFETY: the arguments are those of the kernel, and the sizes are the tensors' and fit it.
    unsafe { call.launch(grid(s.blocks, THREADS as u32)?)? };
    Ok([tensor(dx, shape, dev), tensor(dboth, both_shape, dev)])
}

impl<M: MemoryFormat> CustomOp2 for GroupNorm<M> {
    fn name(&self) -> &'static str {
        M::FORWARD
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
        let (y, stats) = by_type!(s1, forward<M>((self.groups, self.silu), (s1, l1), &maps))?;
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
        let [dx, dboth] = with(
            [x, both, stats, &dy],
            |parts| by_type!(parts[0].0, backward<M>(self, parts)),
        )?;
        Ok((Some(dx), Some(dboth)))
    }
}
