//! AdamW (Loshchilov & Hutter 2019, torch's update rule) with saved moments, averages of the weights, learning-rate schedules.

use crate::experiment::file::experiment::{Anneal, Train};
use crate::stages::train::optimizer::averages::{Averages, Kind};
use crate::stages::train::optimizer::copies::Copies;
use crate::stages::train::optimizer::update::{Moving, Update};
use anyhow::{Context, Result, ensure};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use std::collections::HashMap;

/// The learning rate of step `step` (0-based): linear warm-up, then the asked fall to zero at the last step.
pub fn learning_rate(train: &Train, step: u64) -> f64 {
    learning_rate_of(train, step, train.steps)
}

/// The same in a course of `steps`.
pub fn learning_rate_of(train: &Train, step: u64, steps: u64) -> f64 {
    if step < train.warmup {
        return train.learning_rate * (step + 1) as f64 / train.warmup as f64;
    }
    let span = (steps - train.warmup.min(steps)).max(1) as f64;
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
    /// Those of them before the moments were fresh.
    pub began: u64,
    weight_decay: f64,
    ema: f64,
    further: Averages,
    copies: Copies,
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
            further: Averages::new(train, variables(&params))?,
            params,
            step: 0,
            began: 0,
            weight_decay: train.weight_decay,
            ema: train.ema.first(),
            copies: Copies::default(),
        })
    }

    /// What a net is trained by: where it asks for a weight in another type than f32, it gets a copy that follows the weight.
    pub fn builder(&self, device: &Device) -> VarBuilder<'static> {
        self.copies.builder(self.tensors(), device)
    }

    /// The trained variables by name.
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

    /// Another average of the weights, in the order of the net.
    ///
    /// # Errors
    /// One that the training does not track.
    pub fn average(&self, kind: Kind) -> Result<Vec<(String, Tensor)>> {
        let names = self.params.iter().map(|p| p.name.clone());
        let tensors = self.further.of(kind)?.iter().cloned();
        Ok(names.zip(tensors).collect())
    }

    /// The gradients of all weights, f32, in the order of the net, whether they reached the weights or their copies.
    ///
    /// # Errors
    /// A weight that no gradient reached: it would stay untrained unseen.
    pub fn gradients(&self, mut grads: GradStore) -> Result<Vec<Tensor>> {
        let gradient = |p: &Param| {
            let found = match grads.remove(&p.var) {
                Some(gradient) => Some(gradient),
                None => self.copies.gradient(&p.name, &mut grads)?,
            };
            found.with_context(|| format!("no gradient reaches `{}`", p.name))
        };
        self.params.iter().map(gradient).collect()
    }

    /// One step of AdamW and of every average by the `gradients` of all weights, in the order of the net.
    pub fn update(&mut self, gradients: &[Tensor], learning_rate: f64) -> Result<()> {
        ensure!(
            gradients.len() == self.params.len(),
            "{} gradients for a net of {} weights",
            gradients.len(),
            self.params.len()
        );
        self.step += 1;
        let update = Update::at(
            self.step - self.began,
            learning_rate,
            self.weight_decay,
            self.ema,
        );
        let pairs = self.params.iter().zip(gradients);
        let all: Vec<Moving> = pairs
            .map(|(p, grad)| Moving {
                weight: p.var.as_tensor(),
                state: &p.state,
                grad,
            })
            .collect();
        update.take(&all)?;
        for p in &self.params {
            self.copies.follow(&p.name, p.var.as_tensor())?;
        }
        self.further.update(self.step, variables(&self.params))
    }

    /// Goes on from other weights of the same names with fresh moments, whose average starts at them.
    ///
    /// # Errors
    /// Weights of other names or shapes.
    pub fn restart(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        ensure!(
            weights.len() == self.params.len(),
            "{} weights for a net of {}",
            weights.len(),
            self.params.len()
        );
        for (p, (name, weight)) in self.params.iter_mut().zip(weights) {
            ensure!(*name == p.name, "`{name}` stands where `{}` is", p.name);
            let flat = weight.flatten_all()?.to_dtype(DType::F32)?;
            let zero = flat.zeros_like()?;
            p.var.set(weight)?;
            self.copies.follow(&p.name, p.var.as_tensor())?;
            p.state = Tensor::stack(&[&zero, &zero, &flat], 0)?;
        }
        self.began = self.step;
        Ok(())
    }

    /// Everything a resumed run needs, by name: the weights, `state/NAME`, and the further averages.
    pub fn save(&self) -> Vec<(String, Tensor)> {
        let weights = self
            .params
            .iter()
            .map(|p| (p.name.clone(), p.var.as_tensor().clone()));
        let states = self
            .params
            .iter()
            .map(|p| (format!("state/{}", p.name), p.state.clone()));
        let further = self.further.save(&self.names());
        weights.chain(states).chain(further).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.params.iter().map(|p| p.name.as_str()).collect()
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
            self.copies.follow(&p.name, p.var.as_tensor())?;
            p.state = state.copy()?;
        }
        let names: Vec<&str> = self.params.iter().map(|p| p.name.as_str()).collect();
        self.further.restore(&names, saved)?;
        self.step = step;
        Ok(())
    }
}

/// Square root of the summed squares of all gradients, which are read once: a GPU is waited for at every reading.
pub fn norm(gradients: &[Tensor]) -> Result<f64> {
    let squares = |gradient: &Tensor| gradient.sqr()?.sum_all();
    let sums = gradients.iter().map(squares);
    let sums = sums.collect::<candle_core::Result<Vec<Tensor>>>()?;
    let sums = Tensor::stack(&sums, 0)?.to_vec1::<f32>()?;
    Ok(sums.into_iter().map(f64::from).sum::<f64>().sqrt())
}

fn variables(params: &[Param]) -> impl Iterator<Item = &Tensor> + Clone {
    params.iter().map(|p| p.var.as_tensor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

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
            let gradients = adamw.gradients(grads).unwrap();
            adamw.update(&gradients, 0.1).unwrap();
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
    fn the_rate_warms_up_and_falls_to_zero() {
        let train = train();
        let rates: Vec<f64> = (0..10).map(|s| learning_rate(&train, s)).collect();
        assert_eq!(&rates[..3], &[0.05, 0.1, 0.1]);
        assert!(rates.windows(2).skip(2).all(|w| w[1] < w[0]) && rates[9] > 0.0);
    }
}
