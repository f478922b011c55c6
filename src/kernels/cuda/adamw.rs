//! AdamW's update and the EMA's in one launch a tensor, with the rule of `stages::train::optimizer::update`.

use super::float::{device, int, kernel, loops, view};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, InplaceOp1, InplaceOp2, Layout, Result, Tensor, bail};
use std::cell::RefCell;

/// 1 - beta1, beta2, 1 - beta2, the weights' decay, the rate, the second moment's correction, eps, and the EMA's step.
pub type Rates = [f32; 8];

/// Moves the weights `[n]`, and `state [3, n]`: first moment, second moment, EMA; all f32 and on the GPU.
///
/// # Errors
/// Those of the device, and sizes that do not fit.
pub fn step(weight: &Tensor, state: &Tensor, grad: &Tensor, rates: Rates) -> Result<()> {
    state.inplace_op2(grad, &Whole { weight, rates })
}

/// Moves the state, and within it the weights: an operation has one tensor that it may write.
struct Whole<'a> {
    weight: &'a Tensor,
    rates: Rates,
}

impl InplaceOp2 for Whole<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("adamw: this update is the GPU's")
    }

    fn cuda_fwd(
        &self,
        state: &mut CudaStorage,
        _: &Layout,
        grad: &CudaStorage,
        layout: &Layout,
    ) -> Result<()> {
        self.weight.inplace_op1(&Moved {
            state: RefCell::new(state.as_cuda_slice_mut::<f32>()?),
            grad: view(grad, layout)?,
            rates: self.rates,
        })
    }
}

/// The weights' part of [`Whole`].
struct Moved<'a> {
    state: RefCell<&'a mut CudaSlice<f32>>,
    grad: CudaView<'a, f32>,
    rates: Rates,
}

impl InplaceOp1 for Moved<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> Result<()> {
        bail!("adamw: this update is the GPU's")
    }

    fn cuda_fwd(&self, weight: &mut CudaStorage, layout: &Layout) -> Result<()> {
        let dev = device(weight).clone();
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("adamw: weights are contiguous")
        };
        let (n, mut state) = (end - start, self.state.borrow_mut());
        if state.len() != 3 * n || self.grad.len() != n {
            bail!(
                "adamw: {} states and {} gradients of {n} weights",
                state.len(),
                self.grad.len()
            );
        }
        let mut weight = weight.as_cuda_slice_mut::<f32>()?.slice_mut(start..end);
        let (function, count) = (kernel::<f32>(&dev, "adamw")?, int(n)?);
        let stream = dev.cuda_stream();
        let mut call = stream.launch_builder(&function);
        call.arg(&mut weight).arg(&mut **state).arg(&self.grad);
        call.arg(&count);
        self.rates.iter().for_each(|rate| {
            call.arg(rate);
        });
        // SAFETY: the arguments are those of `adamw`, and the sizes were checked.
        unsafe { call.launch(loops(n)?)? };
        Ok(())
    }
}
