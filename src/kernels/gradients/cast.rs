//! Between f32 and halves, as an operation that is noted (candle's own would stand between noted ones), and what the CPU
//! calculates of halves by way of f32.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::channels_last;
use crate::kernels::gradients::record::apply1;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};

/// `x` in `dtype`, rounded to the nearest, ties to even; differentiable. `x` itself where it has that type.
///
/// # Errors
/// Those of the device.
pub fn cast(x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    #[cfg(feature = "cuda")]
    if channels_last::lies(x) {
        return channels_last::maps(&apply1(&channels_last::rows(x)?, Cast(dtype))?);
    }
    apply1(&x.contiguous()?, Cast(dtype))
}

struct Cast(DType);

impl CustomOp1 for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((storage.to_dtype(layout, self.0)?, layout.shape().clone()))
    }

    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        Ok((storage.to_dtype(layout, self.0)?, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        dy.to_dtype(x.dtype()).map(Some)
    }
}

/// Whether this is f16 or bf16 on the CPU, which our kernels widen to f32, and round once at the end.
pub fn half(tensor: &Tensor) -> bool {
    matches!(tensor.dtype(), DType::F16 | DType::BF16) && tensor.device().is_cpu()
}

/// A half-precision operation by way of the f32 one: `operation` gets `tensors` widened, and its result is rounded to the
/// type of the first.
pub fn widened<const N: usize>(
    tensors: [&Tensor; N],
    operation: impl FnOnce(&[Tensor; N]) -> Result<Tensor>,
) -> Result<Tensor> {
    let dtype = tensors.first().map_or(DType::F32, |t| t.dtype());
    let mut wide = tensors.map(Tensor::clone);
    for tensor in &mut wide {
        *tensor = cast(tensor, DType::F32)?;
    }
    cast(&operation(&wide)?, dtype)
}
