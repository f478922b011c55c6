//! AdamW's update and the EMA's in two launches a tensor, with the rule of `stages::train::optimizer::update`.

use super::float::{device, int, kernel, loops, view};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, bail};

/// 1 - beta1, beta2, 1 - beta2, the weights' decay, the rate, the second moment's correction, eps, and the EMA's step.
pub type Rates = [f32; 8];

/// Moves the weights `[n]`, and `state [3, n]`: first moment, second moment, EMA; all f32 and on the GPU.
pub fn step(weight: &Tensor, state: &Tensor, grad: &Tensor, rates: Rates) -> Result<()> {
    state.inplace_op3(grad, weight, &Track(rates))?;
    weight.inplace_op2(state, &Apply(rates))
}

struct Track(Rates);

impl InplaceOp3 for Track {
    fn name(&self) -> &'static str {
        "adamw-track"
    }

    fn cpu_fwd(
        &self,
        _: &mut CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<()> {
        bail!("adamw: this update is the GPU's")
    }

    fn cuda_fwd(
        &self,
        state: &mut CudaStorage,
        _: &Layout,
        grad: &CudaStorage,
        grad_layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
    ) -> Result<()> {
        track(state, (grad, grad_layout), (weight, weight_layout), self.0)
    }
}

struct Apply(Rates);

impl InplaceOp2 for Apply {
    fn name(&self) -> &'static str {
        "adamw-apply"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("adamw: this update is the GPU's")
    }

    fn cuda_fwd(
        &self,
        weight: &mut CudaStorage,
        layout: &Layout,
        state: &CudaStorage,
        _: &Layout,
    ) -> Result<()> {
        apply((weight, layout), state, self.0)
    }
}

/// Moves the moments and the EMA: `state [3, n]`, gradient `[n]`, weights before the step `[n]`, all f32.
fn track(
    state: &mut CudaStorage,
    grad: (&CudaStorage, &Layout),
    weight: (&CudaStorage, &Layout),
    rates: Rates,
) -> Result<()> {
    let dev = device(state).clone();
    let (g, w): (CudaView<f32>, CudaView<f32>) = (view(grad.0, grad.1)?, view(weight.0, weight.1)?);
    let state = state.as_cuda_slice_mut::<f32>()?;
    if state.len() != 3 * w.len() || g.len() != w.len() {
        bail!(
            "adamw: {} states and {} gradients of {} weights",
            state.len(),
            g.len(),
            w.len()
        );
    }
    let (function, n) = (kernel::<f32>(&dev, "adamw_track")?, int(w.len())?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(state).arg(&g).arg(&w).arg(&n);
    rates.iter().for_each(|rate| {
        call.arg(rate);
    });
    // SAFETY: the arguments are those of `adamw_track`, and the sizes were checked.
    unsafe { call.launch(loops(w.len())?)? };
    Ok(())
}

/// Moves the weights `[n]` by the moments that `track` left in `state [3, n]`.
fn apply(
    (weight, layout): (&mut CudaStorage, &Layout),
    state: &CudaStorage,
    rates: Rates,
) -> Result<()> {
    let dev = device(weight).clone();
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("adamw: weights are contiguous")
    };
    let state = state.as_cuda_slice::<f32>()?;
    let mut weight = weight.as_cuda_slice_mut::<f32>()?.slice_mut(start..end);
    if state.len() != 3 * (end - start) {
        bail!("adamw: {} states of {} weights", state.len(), end - start);
    }
    let (function, n) = (kernel::<f32>(&dev, "adamw_apply")?, int(end - start)?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    call.arg(&mut weight).arg(state).arg(&n);
    rates.iter().for_each(|rate| {
        call.arg(rate);
    });
    // SAFETY: the arguments are those of `adamw_apply`, and the sizes were checked.
    unsafe { call.launch(loops(end - start)?)? };
    Ok(())
}
