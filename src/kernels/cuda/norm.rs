//! Group normalisation with its affine map and SiLU: one launch forwards, one backwards.

use super::float::{Float, aligned, by_type, device, grid, int, kernel, loops, tensor, view, with};
use crate::kernels::gradients::record::apply3;
use crate::kernels::norm::loops::Activation;
use crate::machine::profile::{Operation, span};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail,
};
use std::sync::OnceLock;

const EPS: f32 = 1e-5;
/// Threads of a block; a block has a group of an image.
const THREADS: u32 = 256;

/// Whether the kernel takes groups of this tensor's channels: four values at a time.
pub fn fits(x: &Tensor) -> bool {
    super::takes(&[x]) && x.dims().len() > 2 && x.dims()[2..].iter().product::<usize>() % 4 == 0
}

/// See `kernels::norm::group_norm`: `x [n, c, ...]` of any float, `gain` and `offset [n, c]` f32.
pub fn group_norm(
    x: &Tensor,
    groups: usize,
    gain: &Tensor,
    offset: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let affine = |t: &Tensor| t.to_dtype(DType::F32)?.contiguous();
    let op = GroupNorm {
        groups,
        silu: activation == Activation::Silu,
        stats: OnceLock::new(),
    };
    apply3([&aligned(x)?, &affine(gain)?, &affine(offset)?], op)
}

/// The normalisation's own affine map, `[c]` each.
type Affine<'a> = (&'a Tensor, &'a Tensor);

/// See `kernels::norm::group_norm`: both affine maps as one, a gain and an offset `[n, c]` f32, in one launch; none where
/// one of the maps is part of a graph or not f32. `adaptive` are the scale and the shift `[n, c]`, whose rows may lie apart.
pub fn affine(n: usize, own: Affine, adaptive: Option<Affine>) -> Result<Option<(Tensor, Tensor)>> {
    let (weight, bias) = own;
    let ours = |t: &Tensor| t.device().is_cuda() && t.dtype() == DType::F32 && !t.track_op();
    // Rows that lie apart alike, of neighbouring values.
    let row = |t: &Tensor| match t.stride() {
        [row, 1] => Some(*row),
        _ => None,
    };
    let rows = adaptive.map(|(scale, shift)| (row(scale), row(shift)));
    let fit = match rows {
        None => true,
        Some((scale, shift)) => scale.is_some() && scale == shift,
    };
    let all = [weight, bias].into_iter();
    let mut all = all.chain(
        adaptive
            .into_iter()
            .flat_map(|(scale, shift)| [scale, shift]),
    );
    if !fit || !all.all(ours) {
        return Ok(None);
    }
    let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
    // Where there is none, the kernel reads nothing of what stands in its place.
    let (scale, shift) = adaptive.unwrap_or((&weight, &bias));
    let row = rows.and_then(|(row, _)| row).unwrap_or(0);
    with([&weight, &bias, scale, shift], |parts| {
        mapped(n, parts, adaptive.is_some().then_some(row)).map(Some)
    })
}

/// What is stored from the layout's first element on.
fn from_start<'a>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, f32>> {
    Ok(storage
        .as_cuda_slice::<f32>()?
        .slice(layout.start_offset()..))
}

/// `parts` are weight, bias, scale and shift; the latter count where they have a `row`.
fn mapped(n: usize, parts: [Part; 4], row: Option<usize>) -> Result<(Tensor, Tensor)> {
    let [weight, bias, scale, shift] = parts;
    let (dev, channels) = (device(weight.0), weight.1.shape().elem_count());
    let count = n * channels;
    if bias.1.shape().elem_count() != channels {
        bail!(
            "group_norm: {channels} gains and {:?} offsets",
            bias.1.shape()
        );
    }
    for part in [scale, shift].into_iter().filter(|_| row.is_some()) {
        if part.1.dims() != [n, channels] {
            bail!("group_norm: {:?} is not [{n}, {channels}]", part.1.shape());
        }
    }
    // SAFETY: the kernel writes every element of both.
    let (mut gain, mut offset) = unsafe {
        (
            dev.alloc::<f32>(count.max(1))?,
            dev.alloc::<f32>(count.max(1))?,
        )
    };
    let (weight, bias) = (from_start(weight.0, weight.1)?, from_start(bias.0, bias.1)?);
    let (scale, shift) = (from_start(scale.0, scale.1)?, from_start(shift.0, shift.1)?);
    let (width, rows, total) = (int(channels)?, int(row.unwrap_or(0))?, int(count)?);
    let (none, function, stream) = (0u64, kernel::<f32>(dev, "affine")?, dev.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(&weight).arg(&bias);
    match row {
        Some(_) => call.arg(&scale).arg(&shift),
        // Null pointers.
        None => call.arg(&none).arg(&none),
    };
    call.arg(&mut gain).arg(&mut offset);
    call.arg(&width).arg(&rows).arg(&total);
    if count > 0 {
        // SAFETY: the arguments are those of `affine`, and the sizes were checked.
        unsafe { call.launch(loops(count)?)? };
    }
    let shape = Shape::from((n, channels));
    Ok((tensor(gain, &shape, dev), tensor(offset, &shape, dev)))
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

type Part<'a> = (&'a CudaStorage, &'a Layout);

impl GroupNorm {
    fn sizes(&self, shape: &Shape) -> Result<Sizes> {
        let dims = shape.dims();
        let (n, channels) = match dims {
            [n, c, _, ..] => (*n, *c),
            _ => bail!("group_norm: {shape:?} is not [n, c, ...]"),
        };
        if self.groups == 0 || !channels.is_multiple_of(self.groups) {
            bail!("group_norm: {channels} channels in {} groups", self.groups);
        }
        let (plane, width) = (dims[2..].iter().product::<usize>(), channels / self.groups);
        // The kernel counts the elements of a group in 32 bits.
        int(plane * width)?;
        Ok(Sizes {
            count: n * self.groups,
            plane: int(plane)?,
            width: int(width)?,
        })
    }
}

fn forward<T: Float>(op: &GroupNorm, parts: [Part; 3]) -> Result<CudaStorage> {
    let [x, gain, offset] = parts;
    let (dev, s, shape) = (device(x.0), op.sizes(x.1.shape())?, x.1.shape());
    let (gain, offset): (CudaView<f32>, CudaView<f32>) =
        (view(gain.0, gain.1)?, view(offset.0, offset.1)?);
    let x: CudaView<T> = view(x.0, x.1)?;
    if gain.len() != s.count * s.width as usize || offset.len() != gain.len() {
        bail!("group_norm: gains do not fit {shape:?}");
    }
    // SAFETY: the kernel writes every element of both.
    let (mut y, mut stats) = unsafe {
        (
            dev.alloc::<T>(shape.elem_count())?,
            dev.alloc::<f32>(2 * s.count)?,
        )
    };
    let (silu, function) = (i32::from(op.silu), kernel::<T>(dev, "group_norm")?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&gain).arg(&offset);
    call.arg(&mut y).arg(&mut stats);
    call.arg(&s.plane).arg(&s.width).arg(&silu).arg(&EPS);
    // SAFETY: the arguments are those of `group_norm`, and the sizes are the tensors'.
    unsafe { call.launch(grid(s.count, THREADS)?)? };
    let stats = tensor(stats, &Shape::from((s.count, 2)), dev);
    op.stats.get_or_init(|| stats);
    Ok(CudaStorage::wrap_cuda_slice(y, dev.clone()))
}

fn backward<T: Float>(op: &GroupNorm, parts: [Part; 5]) -> Result<[Tensor; 3]> {
    let [x, gain, offset, stats, dy] = parts;
    let (dev, s): (&CudaDevice, Sizes) = (device(x.0), op.sizes(x.1.shape())?);
    let (shape, affine) = (x.1.shape(), gain.1.shape());
    let (gain, offset, stats) = (
        view::<f32>(gain.0, gain.1)?,
        view::<f32>(offset.0, offset.1)?,
        view::<f32>(stats.0, stats.1)?,
    );
    let (x, dy): (CudaView<T>, CudaView<T>) = (view(x.0, x.1)?, view(dy.0, dy.1)?);
    // SAFETY: the kernel writes every element of all three.
    let (mut dx, mut dgain, mut doffset) = unsafe {
        (
            dev.alloc::<T>(shape.elem_count())?,
            dev.alloc::<f32>(affine.elem_count())?,
            dev.alloc::<f32>(affine.elem_count())?,
        )
    };
    let (silu, function) = (i32::from(op.silu), kernel::<T>(dev, "group_norm_grad")?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&gain).arg(&offset).arg(&stats).arg(&dy);
    call.arg(&mut dx).arg(&mut dgain).arg(&mut doffset);
    call.arg(&s.plane).arg(&s.width).arg(&silu);
    // SAFETY: the arguments are those of `group_norm_grad`, and the sizes are the tensors'.
    unsafe { call.launch(grid(s.count, THREADS)?)? };
    Ok([
        tensor(dx, shape, dev),
        tensor(dgain, affine, dev),
        tensor(doffset, affine, dev),
    ])
}

impl CustomOp3 for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
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
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let y = by_type!(s1, forward(self, [(s1, l1), (s2, l2), (s3, l3)]))?;
        Ok((y, l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gain: &Tensor,
        offset: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(stats) = self.stats.get() else {
            bail!("group_norm: the gradient was asked for before the result")
        };
        let _span = span(Operation::NormBackward);
        let dy = aligned(dy)?;
        let [dx, dgain, doffset] = with([x, gain, offset, stats, &dy], |parts| {
            by_type!(parts[0].0, backward(self, parts))
        })?;
        Ok((Some(dx), Some(dgain), Some(doffset)))
    }
}
