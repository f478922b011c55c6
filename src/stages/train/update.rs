//! One AdamW update of one tensor, in place, on the CPU and the GPU.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::adamw;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, bail};
use rayon::prelude::*;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;
/// Elements a rayon task updates: large enough to hide the fork, small enough to share a big tensor.
const CHUNK: usize = 1 << 14;

/// One update's coefficients, f32 as torch's single-precision step uses them.
#[derive(Clone, Copy)]
pub struct Update {
    decay: f32,
    rate: f32,
    root: f32,
    ema: f32,
}

impl Update {
    /// Those of update `step`, counted from 1; `ema` is the share of the old mean that stays.
    pub fn at(step: u64, learning_rate: f64, weight_decay: f64, ema: f64) -> Update {
        let correct1 = 1.0 - BETA1.powi(step.min(1 << 20) as i32);
        let correct2 = 1.0 - BETA2.powi(step.min(1 << 20) as i32);
        Update {
            decay: (1.0 - learning_rate * weight_decay) as f32,
            rate: (learning_rate / correct1) as f32,
            root: (1.0 / correct2.sqrt()) as f32,
            ema: (1.0 - ema) as f32,
        }
    }

    /// Moves the weights, all f32, by the gradient of their shape; `state` [3, n] holds first moment, second moment and EMA.
    pub fn take(self, weight: &Tensor, state: &Tensor, grad: &Tensor) -> Result<()> {
        state.inplace_op3(&grad.contiguous()?, weight, &Track(self))?;
        weight.inplace_op2(state, &Apply(self))
    }

    fn moments(self, m: f32, v: f32, g: f32) -> (f32, f32) {
        (
            m + (g - m) * (1.0 - BETA1) as f32,
            v * BETA2 as f32 + g * g * (1.0 - BETA2) as f32,
        )
    }

    /// As the GPU's kernels take them.
    #[cfg(feature = "cuda")]
    fn all(self) -> adamw::Rates {
        let (rest1, rest2) = ((1.0 - BETA1) as f32, (1.0 - BETA2) as f32);
        let (beta2, eps) = (BETA2 as f32, EPS as f32);
        [
            rest1, beta2, rest2, self.decay, self.rate, self.root, eps, self.ema,
        ]
    }

    fn weight(self, p: f32, m: f32, v: f32) -> f32 {
        p * self.decay - self.rate * m / (v.sqrt() * self.root + EPS as f32)
    }
}

/// Moves the moments and the EMA: state [3, n], gradient [n], weight before the step [n].
struct Track(Update);

impl InplaceOp3 for Track {
    fn name(&self) -> &'static str {
        "adamw-track"
    }

    fn cpu_fwd(
        &self,
        state: &mut CpuStorage,
        _: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<()> {
        let CpuStorage::F32(state) = state else {
            bail!("optimizer state is f32")
        };
        let (grad, weight) = (flat(grad, grad_layout)?, flat(weight, weight_layout)?);
        let n = grad.len();
        let (m, rest) = state.split_at_mut(n);
        let (v, ema) = rest.split_at_mut(n);
        m.par_chunks_mut(CHUNK)
            .zip(v.par_chunks_mut(CHUNK))
            .zip(ema.par_chunks_mut(CHUNK))
            .zip(grad.par_chunks(CHUNK).zip(weight.par_chunks(CHUNK)))
            .for_each(|(((m, v), ema), (grad, weight))| {
                for i in 0..m.len() {
                    (m[i], v[i]) = self.0.moments(m[i], v[i], grad[i]);
                    let moved = self.0.weight(weight[i], m[i], v[i]);
                    ema[i] += (moved - ema[i]) * self.0.ema;
                }
            });
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        state: &mut CudaStorage,
        _: &Layout,
        grad: &CudaStorage,
        grad_layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
    ) -> Result<()> {
        adamw::track(
            state,
            (grad, grad_layout),
            (weight, weight_layout),
            self.0.all(),
        )
    }
}

/// Moves the weights: weight [n], state [3, n] after `Track`.
struct Apply(Update);

impl InplaceOp2 for Apply {
    fn name(&self) -> &'static str {
        "adamw-apply"
    }

    fn cpu_fwd(
        &self,
        weight: &mut CpuStorage,
        layout: &Layout,
        state: &CpuStorage,
        _: &Layout,
    ) -> Result<()> {
        let CpuStorage::F32(weight) = weight else {
            bail!("trained weights are f32")
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("weights are contiguous")
        };
        let (weight, state) = (&mut weight[start..end], state.as_slice::<f32>()?);
        let n = weight.len();
        let (m, v) = (&state[..n], &state[n..2 * n]);
        weight
            .par_chunks_mut(CHUNK)
            .zip(m.par_chunks(CHUNK).zip(v.par_chunks(CHUNK)))
            .for_each(|(weight, (m, v))| {
                for i in 0..weight.len() {
                    weight[i] = self.0.weight(weight[i], m[i], v[i]);
                }
            });
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        weight: &mut CudaStorage,
        layout: &Layout,
        state: &CudaStorage,
        _: &Layout,
    ) -> Result<()> {
        adamw::apply((weight, layout), state, self.0.all())
    }
}

fn flat<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("contiguous tensors only")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}
