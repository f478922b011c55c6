//! Pools of 3 x 3 pixels in one launch, forwards only.

use super::float::{Float, by_type, device, int, kernel, loops, view};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

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

fn forward<T: Float>(
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
        let y = by_type!(s, forward(self, (s, l), &shape))?;
        Ok((y, shape))
    }
}
