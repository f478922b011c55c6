//! AdamW (Loshchilov & Hutter 2019, torch's update rule) with saved moments, an EMA of the weights, learning-rate schedules.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::adamw;
use crate::spec::experiment::{Anneal, Train};
use anyhow::{Context, Result, ensure};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, InplaceOp3, Layout, Tensor, Var};
use rayon::prelude::*;
use std::collections::HashMap;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;
/// Elements a rayon task updates: large enough to hide the fork, small enough to share a big tensor.
const CHUNK: usize = 1 << 14;

/// The learning rate of step `step` (0-based): linear warm-up, then the asked fall to zero at the last step.
pub fn learning_rate(train: &Train, step: u64) -> f64 {
    if step < train.warmup {
        return train.learning_rate * (step + 1) as f64 / train.warmup as f64;
    }
    let span = (train.steps - train.warmup.min(train.steps)).max(1) as f64;
    let done = (step - train.warmup) as f64 / span;
    let factor = match train.anneal {
        Anneal::None => 1.0,
        Anneal::Linear => 1.0 - done,
        Anneal::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
    };
    train.learning_rate * factor
}

struct Param {
    name: String,
    var: Var,
    /// [3, n]: first moment, second moment, EMA of the weights.
    state: Tensor,
}

/// The optimizer owns the trained variables, so that saving it saves the whole run.
pub struct AdamW {
    params: Vec<Param>,
    /// Updates taken.
    pub step: u64,
    weight_decay: f64,
    ema: f64,
}

/// One update's coefficients, f32 as torch's single-precision step uses them.
#[derive(Clone, Copy)]
struct Update {
    decay: f32,
    rate: f32,
    root: f32,
    ema: f32,
}

impl Update {
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

impl AdamW {
    /// Fresh moments; the EMA starts at the weights, as ADM's does.
    pub fn new(weights: Vec<(String, Tensor)>, train: &Train) -> Result<Self> {
        let mut params = Vec::with_capacity(weights.len());
        for (name, weight) in weights {
            let flat = weight.flatten_all()?.to_dtype(DType::F32)?;
            let zero = flat.zeros_like()?;
            let state = Tensor::stack(&[&zero, &zero, &flat], 0)?;
            params.push(Param {
                name,
                var: Var::from_tensor(&weight)?,
                state,
            });
        }
        Ok(Self {
            params,
            step: 0,
            weight_decay: train.weight_decay,
            ema: train.ema,
        })
    }

    /// The trained variables by name, for a `VarBuilder`.
    pub fn tensors(&self) -> HashMap<String, Tensor> {
        self.params
            .iter()
            .map(|p| (p.name.clone(), p.var.as_tensor().clone()))
            .collect()
    }

    /// The EMA weights, in the order of the net.
    pub fn ema(&self) -> Result<Vec<(String, Tensor)>> {
        self.params
            .iter()
            .map(|p| {
                Ok((
                    p.name.clone(),
                    p.state.get(2)?.reshape(p.var.shape())?.copy()?,
                ))
            })
            .collect()
    }

    /// Square root of the summed squares of all gradients.
    pub fn gradient_norm(&self, grads: &GradStore) -> Result<f64> {
        let mut sum = 0.0;
        for p in &self.params {
            if let Some(grad) = grads.get(&p.var) {
                sum += grad.sqr()?.sum_all()?.to_scalar::<f32>()? as f64;
            }
        }
        Ok(sum.sqrt())
    }

    /// One step of AdamW and of the EMA. A parameter that no gradient reached is an error: it would stay untrained unseen.
    pub fn update(&mut self, grads: &GradStore, learning_rate: f64) -> Result<()> {
        self.step += 1;
        let correct1 = 1.0 - BETA1.powi(self.step.min(1 << 20) as i32);
        let correct2 = 1.0 - BETA2.powi(self.step.min(1 << 20) as i32);
        let update = Update {
            decay: (1.0 - learning_rate * self.weight_decay) as f32,
            rate: (learning_rate / correct1) as f32,
            root: (1.0 / correct2.sqrt()) as f32,
            ema: (1.0 - self.ema) as f32,
        };
        for p in &self.params {
            let grad = grads
                .get(&p.var)
                .with_context(|| format!("no gradient reaches `{}`", p.name))?;
            let grad = grad.contiguous()?;
            if fused(p.var.device()) {
                p.state
                    .inplace_op3(&grad, p.var.as_tensor(), &Track(update))?;
                p.var.as_tensor().inplace_op2(&p.state, &Apply(update))?;
            } else {
                compose(p, &grad, update)?;
            }
        }
        Ok(())
    }

    /// Everything a resumed run needs, by name: the weights and `state/NAME`.
    pub fn save(&self) -> Vec<(String, Tensor)> {
        let weights = self
            .params
            .iter()
            .map(|p| (p.name.clone(), p.var.as_tensor().clone()));
        let states = self
            .params
            .iter()
            .map(|p| (format!("state/{}", p.name), p.state.clone()));
        weights.chain(states).collect()
    }

    /// Puts back what `save` gave.
    pub fn restore(&mut self, step: u64, saved: &HashMap<String, Tensor>) -> Result<()> {
        for p in &mut self.params {
            let get = |name: &str| {
                saved
                    .get(name)
                    .with_context(|| format!("tensor `{name}` is missing"))
            };
            let (weight, state) = (get(&p.name)?, get(&format!("state/{}", p.name))?);
            ensure!(
                weight.shape() == p.var.shape() && state.shape() == p.state.shape(),
                "tensor `{}` is {:?}, the net needs {:?}",
                p.name,
                weight.shape(),
                p.var.shape()
            );
            p.var.set(weight)?;
            p.state = state.copy()?;
        }
        self.step = step;
        Ok(())
    }
}

/// Whether `Track` and `Apply` run there.
fn fused(device: &Device) -> bool {
    device.is_cpu() || cfg!(feature = "cuda") && device.is_cuda()
}

/// The update in candle's own operations, for devices without the fused kernel.
fn compose(p: &Param, grad: &Tensor, u: Update) -> candle_core::Result<()> {
    let grad = grad.flatten_all()?;
    let (m, v, ema) = (p.state.get(0)?, p.state.get(1)?, p.state.get(2)?);
    let m = ((&m * BETA1)? + (&grad * (1.0 - BETA1))?)?;
    let v = ((&v * BETA2)? + (grad.sqr()? * (1.0 - BETA2))?)?;
    let step = (&m / v.sqrt()?.affine(u.root as f64, EPS)?)?;
    let weight = ((p.var.flatten_all()? * u.decay as f64)? - (step * u.rate as f64)?)?;
    let ema = ((&ema * (1.0 - u.ema as f64))? + (&weight * u.ema as f64)?)?;
    p.state
        .slice_set(&Tensor::stack(&[&m, &v, &ema], 0)?, 0, 0)?;
    p.var.set(&weight.reshape(p.var.shape())?)
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
    ) -> candle_core::Result<()> {
        let CpuStorage::F32(state) = state else {
            candle_core::bail!("optimizer state is f32")
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
    ) -> candle_core::Result<()> {
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
    ) -> candle_core::Result<()> {
        let CpuStorage::F32(weight) = weight else {
            candle_core::bail!("trained weights are f32")
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("weights are contiguous")
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
    ) -> candle_core::Result<()> {
        adamw::apply((weight, layout), state, self.0.all())
    }
}

fn flat<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("contiguous tensors only")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train() -> Train {
        toml::from_str("data = 'shapes'\nsteps = 10\nbatch = 1\nlearning_rate = 0.1\nweight_decay = 0.5\nema = 0.9\nwarmup = 2\nanneal = 'linear'")
            .unwrap()
    }

    #[test]
    fn three_steps_equal_the_formula_in_f64() {
        let train = train();
        let start = Tensor::new(&[1f32, -2.0, 0.5], &Device::Cpu).unwrap();
        let mut adamw = AdamW::new(vec![("w".into(), start)], &train).unwrap();
        let (mut p, mut m, mut v, mut ema) =
            ([1f64, -2.0, 0.5], [0f64; 3], [0f64; 3], [1f64, -2.0, 0.5]);
        for k in 1..=3 {
            let loss = adamw.params[0].var.sqr().unwrap().sum_all().unwrap();
            let grads = loss.backward().unwrap();
            adamw.update(&grads, 0.1).unwrap();
            for i in 0..3 {
                let g = 2.0 * p[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (mh, vh) = (
                    m[i] / (1.0 - 0.9f64.powi(k)),
                    v[i] / (1.0 - 0.999f64.powi(k)),
                );
                p[i] = p[i] * (1.0 - 0.1 * 0.5) - 0.1 * mh / (vh.sqrt() + 1e-8);
                ema[i] = 0.9 * ema[i] + 0.1 * p[i];
            }
        }
        let got = adamw.params[0].var.to_vec1::<f32>().unwrap();
        let kept = adamw.ema().unwrap()[0].1.to_vec1::<f32>().unwrap();
        for i in 0..3 {
            assert!((got[i] as f64 - p[i]).abs() < 1e-6, "{got:?} {p:?}");
            assert!((kept[i] as f64 - ema[i]).abs() < 1e-6, "{kept:?} {ema:?}");
        }
    }

    #[test]
    fn the_composed_update_equals_the_fused_one() {
        let weight = Tensor::new(&[[1f32, -2.0], [0.5, 3.0]], &Device::Cpu).unwrap();
        let grad = Tensor::new(&[[0.3f32, -0.1], [2.0, 1e-3]], &Device::Cpu).unwrap();
        let fresh = || AdamW::new(vec![("w".into(), weight.clone())], &train()).unwrap();
        let (fused, composed) = (fresh(), fresh());
        let update = Update {
            decay: 0.95,
            rate: 0.2,
            root: 1.7,
            ema: 0.1,
        };
        let (f, c) = (&fused.params[0], &composed.params[0]);
        f.state
            .inplace_op3(&grad, f.var.as_tensor(), &Track(update))
            .unwrap();
        f.var
            .as_tensor()
            .inplace_op2(&f.state, &Apply(update))
            .unwrap();
        compose(c, &grad, update).unwrap();
        let gap = |a: &Tensor, b: &Tensor| {
            (a - b)
                .unwrap()
                .abs()
                .unwrap()
                .flatten_all()
                .unwrap()
                .max(0)
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        assert!(gap(f.var.as_tensor(), c.var.as_tensor()) < 1e-6);
        assert!(gap(&f.state, &c.state) < 1e-6);
    }

    #[test]
    fn the_rate_warms_up_and_falls_to_zero() {
        let train = train();
        let rates: Vec<f64> = (0..10).map(|s| learning_rate(&train, s)).collect();
        assert_eq!(&rates[..3], &[0.05, 0.1, 0.1]);
        assert!(rates.windows(2).skip(2).all(|w| w[1] < w[0]) && rates[9] > 0.0);
    }
}
