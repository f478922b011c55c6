//! One AdamW update, in place, on the CPU and the GPU.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::adamw;
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Tensor, bail};
use rayon::prelude::*;
use std::cell::RefCell;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;
/// Elements a rayon task updates: large enough to hide the fork, small enough to share a big tensor.
const CHUNK: usize = 1 << 14;

/// A tensor of weights, their state and their gradient.
pub struct Moving<'a> {
    pub weight: &'a Tensor,
    pub state: &'a Tensor,
    pub grad: &'a Tensor,
}

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

    /// Moves weights, all f32, by the gradients of their shapes; a state [3, n] holds first moment, second moment and EMA.
    pub fn take(self, all: &[Moving]) -> Result<()> {
        let contiguous = all.iter().map(|moving| moving.grad.contiguous());
        let grads = contiguous.collect::<Result<Vec<Tensor>>>()?;
        #[cfg(feature = "cuda")]
        if all.iter().any(|moving| moving.weight.device().is_cuda()) {
            let all = all.iter().zip(&grads);
            let all: Vec<_> = all.map(|(m, grad)| [m.weight, m.state, grad]).collect();
            return adamw::step(&all, self.all());
        }
        for (Moving { weight, state, .. }, grad) in all.iter().zip(&grads) {
            let update = self;
            state.inplace_op2(grad, &Whole { update, weight })?;
        }
        Ok(())
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

/// Moves everything of one tensor: `state [3, n]` itself, and within it the weights, so that memory is gone through once.
struct Whole<'a> {
    update: Update,
    weight: &'a Tensor,
}

impl InplaceOp2 for Whole<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        state: &mut CpuStorage,
        _: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<()> {
        let CpuStorage::F32(state) = state else {
            bail!("optimizer state is f32")
        };
        let grad = flat(grad, grad_layout)?;
        if state.len() != 3 * grad.len() {
            bail!("{} states of {} gradients", state.len(), grad.len());
        }
        self.weight.inplace_op1(&Moved {
            update: self.update,
            state: RefCell::new(state),
            grad,
        })
    }
}

/// The weights' part of [`Whole`].
struct Moved<'a> {
    update: Update,
    state: RefCell<&'a mut [f32]>,
    grad: &'a [f32],
}

impl InplaceOp1 for Moved<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(weight), Some((start, end))) = (weight, layout.contiguous_offsets())
        else {
            bail!("trained weights are contiguous f32")
        };
        let (weight, mut state) = (&mut weight[start..end], self.state.borrow_mut());
        let (n, update) = (self.grad.len(), self.update);
        if weight.len() != n {
            bail!("{} weights of {n} gradients", weight.len());
        }
        let (m, rest) = state.split_at_mut(n);
        let (v, ema) = rest.split_at_mut(n);
        m.par_chunks_mut(CHUNK)
            .zip(v.par_chunks_mut(CHUNK))
            .zip(ema.par_chunks_mut(CHUNK))
            .zip(
                weight
                    .par_chunks_mut(CHUNK)
                    .zip(self.grad.par_chunks(CHUNK)),
            )
            .for_each(|(((m, v), ema), (weight, grad))| {
                let n = m.len();
                let (v, ema) = (&mut v[..n], &mut ema[..n]);
                let (weight, grad) = (&mut weight[..n], &grad[..n]);
                for i in 0..n {
                    (m[i], v[i]) = update.moments(m[i], v[i], grad[i]);
                    weight[i] = update.weight(weight[i], m[i], v[i]);
                    ema[i] += (weight[i] - ema[i]) * update.ema;
                }
            });
        Ok(())
    }
}

fn flat<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("contiguous tensors only")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}
