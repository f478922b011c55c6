//! Planes of pixels: twice as large by repetition and half as large by means, each the other's gradient but for a factor;
//! and pools of 3 x 3, forwards only.

use super::float::{Float, by_type, device, int, kernel, loops, view};
use crate::kernels::gradients::record::apply1;
use crate::machine::profile::{Operation, span};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// See `kernels::resample::upsample2`.
pub fn upsample2(x: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let op = Grow {
        size: (2 * h, 2 * w),
        factor: 1.0,
    };
    apply1(&x.contiguous()?, op)
}

/// See `kernels::resample::avg_pool2`.
pub fn avg_pool2(x: &Tensor) -> Result<Tensor> {
    apply1(&x.contiguous()?, Shrink { factor: 0.25 })
}

/// Sums of 2 x 2, times the factor.
struct Shrink {
    factor: f32,
}

/// Each value times the factor to 2 x 2 of planes of this size.
struct Grow {
    size: (usize, usize),
    factor: f32,
}

/// Runs the kernel `name` on planes of which the large ones are `h x w`.
fn planes<T: Float>(
    name: &'static str,
    (s, l): (&CudaStorage, &Layout),
    (h, w): (usize, usize),
    count: usize,
    factor: f32,
) -> Result<CudaStorage> {
    let dev = device(s);
    let x: CudaView<T> = view(s, l)?;
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(count)? };
    let (function, rows, columns) = (kernel::<T>(dev, name)?, int(h)?, int(w)?);
    // The kernel counts elements of both tensors in 32 bits.
    let (total, _) = (int(count)?, int(x.len())?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&rows).arg(&columns);
    call.arg(&total).arg(&factor);
    // SAFETY: the arguments are those of both kernels, and the sizes are the tensors'.
    unsafe { call.launch(loops(count)?)? };
    Ok(CudaStorage::wrap_cuda_slice(y, dev.clone()))
}

impl CustomOp1 for Shrink {
    fn name(&self) -> &'static str {
        "shrink"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's pool was given a tensor on the CPU")
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        if h < 2 || w < 2 {
            bail!("avg_pool2: {h} x {w} pixels have no 2 x 2");
        }
        let shape = Shape::from((n, c, h / 2, w / 2));
        let count = shape.elem_count();
        let y = by_type!(s, planes("shrink", (s, l), (h, w), count, self.factor))?;
        Ok((y, shape))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::ResampleBackward);
        let (_, _, h, w) = x.dims4()?;
        let (size, factor) = ((h, w), self.factor);
        let dx = dy.contiguous()?.apply_op1_no_bwd(&Grow { size, factor })?;
        Ok(Some(dx))
    }
}

impl CustomOp1 for Grow {
    fn name(&self) -> &'static str {
        "grow"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's enlargement was given a tensor on the CPU")
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        if (self.size.0 / 2, self.size.1 / 2) != (h, w) {
            bail!("grow: {h} x {w} is not half of {:?}", self.size);
        }
        let shape = Shape::from((n, c, self.size.0, self.size.1));
        let count = shape.elem_count();
        let y = by_type!(s, planes("grow", (s, l), self.size, count, self.factor))?;
        Ok((y, shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::ResampleBackward);
        let factor = self.factor;
        let dx = dy.contiguous()?.apply_op1_no_bwd(&Shrink { factor })?;
        Ok(Some(dx))
    }
}

/// Windows of 3 x 3, `stride` apart, that reach `pad` pixels over the edges; what is not there does not count.
#[derive(Clone, Copy)]
pub struct Pool3 {
    pub stride: usize,
    pub pad: usize,
    /// means, where this is not set maxima
    pub mean: bool,
}

impl Pool3 {
    /// `x [n, c, h, w]` → `[n, c, oh, ow]`.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1_no_bwd(&self)
    }

    fn out(&self, size: usize) -> Result<usize> {
        match (size + 2 * self.pad).checked_sub(3) {
            Some(room) if self.stride > 0 && self.pad < 3 => Ok(room / self.stride + 1),
            _ => bail!(
                "pool: {size} pixels at stride {} and padding {} have no 3",
                self.stride,
                self.pad
            ),
        }
    }
}

fn pooled<T: Float>(
    op: &Pool3,
    (s, l): (&CudaStorage, &Layout),
    shape: &Shape,
) -> Result<CudaStorage> {
    let dev = device(s);
    let x: CudaView<T> = view(s, l)?;
    let count = shape.elem_count();
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(count)? };
    let ((_, _, h, w), (_, _, oh, ow)) = (l.shape().dims4()?, shape.dims4()?);
    let sizes = [h, w, oh, ow, op.stride, op.pad];
    let sizes = sizes.map(int).into_iter().collect::<Result<Vec<i32>>>()?;
    let (mean, total) = (i32::from(op.mean), int(count)?);
    let (function, stream) = (kernel::<T>(dev, "pool3")?, dev.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y);
    sizes.iter().for_each(|size| {
        call.arg(size);
    });
    call.arg(&mean).arg(&total);
    // SAFETY: the arguments are those of `pool3`, and the sizes are the tensors'.
    unsafe { call.launch(loops(count)?)? };
    Ok(CudaStorage::wrap_cuda_slice(y, dev.clone()))
}

impl CustomOp1 for Pool3 {
    fn name(&self) -> &'static str {
        "pool3"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's pool was given a tensor on the CPU")
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        let shape = Shape::from((n, c, self.out(h)?, self.out(w)?));
        let y = by_type!(s, pooled(self, (s, l), &shape))?;
        Ok((y, shape))
    }
}
