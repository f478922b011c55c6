//! Maps with their channels last, twice as large by repetition and half as large by means, each the other's gradient but for
//! a factor.

use super::{maps, rows};
use crate::kernels::cuda::float::{Float, Part, by_type, device, int, kernel, loops, view};
use crate::kernels::gradients::record::apply1;
use crate::machine::profile::{Operation, span};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// See `kernels::resample::upsample2`, of maps that lie so.
///
/// # Errors
/// Those of the device.
pub fn upsample2(x: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let large = (2 * h, 2 * w);
    let op = Resampled {
        to: To::Large,
        large,
        factor: 1.0,
    };
    maps(&apply1(&rows(x)?, op)?)
}

/// See `kernels::resample::avg_pool2`, of maps that lie so.
///
/// # Errors
/// Those of the device, and maps of no 2 by 2 pixels.
pub fn avg_pool2(x: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if h < 2 || w < 2 {
        bail!("avg_pool2: {h} x {w} pixels have no 2 x 2");
    }
    let op = Resampled {
        to: To::Small,
        large: (h, w),
        factor: 0.25,
    };
    maps(&apply1(&rows(x)?, op)?)
}

/// Sums of 2 x 2 pixels times the factor, or each pixel times it to 2 x 2.
#[derive(Clone, Copy)]
enum To {
    Small,
    Large,
}

/// The operation on rows `[n, h, w, c]`.
struct Resampled {
    to: To,
    /// Rows and columns of the larger maps.
    large: (usize, usize),
    factor: f32,
}

fn run<T: Float>((s, l): Part, op: &Resampled, shape: &Shape) -> Result<CudaStorage> {
    let (dev, x): (_, CudaView<T>) = (device(s), view(s, l)?);
    let (count, (_, _, _, channels)) = (shape.elem_count(), shape.dims4()?);
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(count.max(1))? };
    let (height, width) = (int(op.large.0)?, int(op.large.1)?);
    // The kernels count elements of both tensors in 32 bits.
    let (of, total, _) = (int(channels)?, int(count)?, int(x.len())?);
    let name = match op.to {
        To::Small => "shrink_last",
        To::Large => "grow_last",
    };
    let (function, stream) = (kernel::<T>(dev, name)?, dev.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&height).arg(&width);
    call.arg(&of).arg(&total).arg(&op.factor);
    // SAFETY: the arguments are those of both kernels, and the sizes are the tensors'.
    unsafe { call.launch(loops(count)?)? };
    Ok(CudaStorage::wrap_cuda_slice(y, dev.clone()))
}

impl CustomOp1 for Resampled {
    fn name(&self) -> &'static str {
        "resampled-last"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's resampling was given a tensor on the CPU")
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, h, w, c) = l.shape().dims4()?;
        let small = (self.large.0 / 2, self.large.1 / 2);
        let (from, to) = match self.to {
            To::Small => (self.large, small),
            To::Large => (small, self.large),
        };
        if from != (h, w) {
            bail!("resampling: {h} x {w} pixels are not {from:?}");
        }
        let shape = Shape::from((n, to.0, to.1, c));
        Ok((by_type!(s, run((s, l), self, &shape))?, shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::ResampleBackward);
        let back = Resampled {
            to: match self.to {
                To::Small => To::Large,
                To::Large => To::Small,
            },
            ..*self
        };
        dy.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}
