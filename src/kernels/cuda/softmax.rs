//! Softmax over the last dimension, with its gradient: candle's fused one has none, and its plain one is five passes.

use super::float::{Float, Part, aligned, by_type, device, grid, int, kernel, tensor, view, with};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Rows of a block of 128 threads, a warp each.
const ROWS: usize = 4;

/// `x [.., l]` of any float → the same shape and type; sums are in f32.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    aligned(x)?.apply_op1(Softmax)
}

/// The gradient of the softmax's input from the result `p` and its gradient, both `[.., l]`.
pub fn softmax_grad(p: &Tensor, dp: &Tensor) -> Result<Tensor> {
    let (p, dp) = (aligned(p)?, aligned(dp)?);
    with([&p, &dp], |[p, dp]| by_type!(p.0, backward(p, dp)))
}

struct Softmax;

/// Rows and their length.
fn rows(shape: &Shape) -> Result<(usize, usize)> {
    match shape.dims().last() {
        Some(&n) if n > 0 => Ok((shape.elem_count() / n, n)),
        _ => bail!("softmax: {shape:?} has no rows"),
    }
}

fn forward<T: Float>((s, l): Part) -> Result<CudaStorage> {
    let (dev, (rows, n)) = (device(s), rows(l.shape())?);
    let x: CudaView<T> = view(s, l)?;
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(x.len())? };
    let (function, length, count) = (kernel::<T>(dev, "softmax")?, int(n)?, int(rows)?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&count).arg(&length);
    // SAFETY: the arguments are those of `softmax`, and the sizes are the tensor's.
    unsafe { call.launch(grid(rows.div_ceil(ROWS), 32 * ROWS as u32)?)? };
    Ok(CudaStorage::wrap_cuda_slice(y, dev.clone()))
}

fn backward<T: Float>(p: Part, dp: Part) -> Result<Tensor> {
    let (dev, shape) = (device(p.0), p.1.shape());
    let (rows, n) = rows(shape)?;
    let (p, dp): (CudaView<T>, CudaView<T>) = (view(p.0, p.1)?, view(dp.0, dp.1)?);
    // SAFETY: the kernel writes every element.
    let mut dx = unsafe { dev.alloc::<T>(p.len())? };
    let (function, length, count) = (kernel::<T>(dev, "softmax_grad")?, int(n)?, int(rows)?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&p).arg(&dp).arg(&mut dx).arg(&count).arg(&length);
    // SAFETY: the arguments are those of `softmax_grad`, and the sizes are the tensors'.
    unsafe { call.launch(grid(rows.div_ceil(ROWS), 32 * ROWS as u32)?)? };
    Ok(tensor(dx, shape, dev))
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's softmax was given a tensor on the CPU")
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let y = by_type!(s, forward((s, l)))?;
        Ok((y, l.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, p: &Tensor, dp: &Tensor) -> Result<Option<Tensor>> {
        softmax_grad(p, dp).map(Some)
    }
}
