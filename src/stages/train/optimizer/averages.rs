//! Averages of the weights beside the optimizer's own EMA: further decays, and power-function averages
//! (arXiv:2312.02696, section 3.1). Where a training has none, nothing is held and nothing is done.

use crate::diffusion::training::power_ema::{gamma, share};
use crate::experiment::file::experiment::Train;
use anyhow::{Context, Result, ensure};
use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, bail};
use rayon::prelude::*;
use std::collections::HashMap;

/// Elements that a rayon task moves.
const CHUNK: usize = 1 << 14;

/// How an average forgets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Each step by this decay.
    Decay(f64),
    /// By a power function of this relative width.
    Power { sigma_rel: f64 },
}

impl Kind {
    /// What its tensors' names begin with in a saved state.
    fn name(self) -> String {
        match self {
            Kind::Decay(decay) => format!("ema-{decay}"),
            Kind::Power { sigma_rel } => format!("power-{sigma_rel}"),
        }
    }

    /// What update `step`, counted from 1, moves the average towards the weights.
    fn share(self, step: u64) -> f64 {
        match self {
            Kind::Decay(decay) => 1.0 - decay,
            Kind::Power { sigma_rel } => share(gamma(sigma_rel), step),
        }
    }
}

/// One average of all weights, each f32 and of its weight's shape, in the order of the net.
struct Average {
    kind: Kind,
    tensors: Vec<Tensor>,
}

/// All averages beside the first EMA.
pub struct Averages(Vec<Average>);

impl Averages {
    /// Those that `train` asks for; they start at `weights`.
    pub fn new<'a>(
        train: &Train,
        weights: impl Iterator<Item = &'a Tensor> + Clone,
    ) -> Result<Self> {
        let decays = train
            .ema
            .all()
            .iter()
            .skip(1)
            .map(|decay| Kind::Decay(*decay));
        let widths = train.power_ema.iter().flat_map(|power| &power.sigma_rel);
        let powers = widths.map(|&sigma_rel| Kind::Power { sigma_rel });
        let start = |kind| {
            // Storage of its own, for it is moved in place.
            let tensors = weights.clone().map(|weight| weight.detach().copy());
            let tensors = tensors.collect::<candle_core::Result<_>>()?;
            Ok(Average { kind, tensors })
        };
        decays
            .chain(powers)
            .map(start)
            .collect::<Result<_>>()
            .map(Averages)
    }

    /// Moves all of them towards the weights, as they are after update `step`, counted from 1.
    pub fn update<'a>(
        &mut self,
        step: u64,
        weights: impl Iterator<Item = &'a Tensor> + Clone,
    ) -> Result<()> {
        for average in &mut self.0 {
            let share = average.kind.share(step) as f32;
            for (mean, weight) in average.tensors.iter_mut().zip(weights.clone()) {
                approach(mean, &weight.detach(), share)?;
            }
        }
        Ok(())
    }

    /// The tensors of one, in the order of the net.
    ///
    /// # Errors
    /// One that the training does not track.
    pub fn of(&self, kind: Kind) -> Result<&[Tensor]> {
        let found = self.0.iter().find(|average| average.kind == kind);
        let found = found.with_context(|| format!("{} is not tracked", kind.name()))?;
        Ok(&found.tensors)
    }

    /// Everything that a resumed run needs, by name, as the weights that are called `names`.
    pub fn save(&self, names: &[&str]) -> Vec<(String, Tensor)> {
        let named = self.0.iter().flat_map(|average| {
            let kind = average.kind.name();
            let name =
                move |(name, tensor): (&&str, &Tensor)| (format!("{kind}/{name}"), tensor.clone());
            names.iter().zip(&average.tensors).map(name)
        });
        named.collect()
    }

    /// Puts back what `save` gave.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape.
    pub fn restore(&mut self, names: &[&str], saved: &HashMap<String, Tensor>) -> Result<()> {
        for average in &mut self.0 {
            for (name, mean) in names.iter().zip(&mut average.tensors) {
                let name = format!("{}/{name}", average.kind.name());
                let found = saved.get(&name);
                let found = found.with_context(|| format!("tensor `{name}` is missing"))?;
                ensure!(
                    found.shape() == mean.shape(),
                    "tensor `{name}` is {:?}, the net needs {:?}",
                    found.shape(),
                    mean.shape()
                );
                *mean = found.copy()?;
            }
        }
        Ok(())
    }
}

/// mean += (weight - mean) * share, in f32; in place on the CPU, by the rule of `update` to the bit.
fn approach(mean: &mut Tensor, weight: &Tensor, share: f32) -> candle_core::Result<()> {
    if mean.device().is_cpu() {
        return mean.inplace_op2(&weight.contiguous()?, &Approach(share));
    }
    *mean = approached(mean, weight, share)?;
    Ok(())
}

/// The same by candle's operations, as other devices take it: f32 tensors of one shape to the moved mean.
pub fn approached(mean: &Tensor, weight: &Tensor, share: f32) -> candle_core::Result<Tensor> {
    mean + ((weight - mean)? * f64::from(share))?
}

struct Approach(f32);

impl InplaceOp2 for Approach {
    fn name(&self) -> &'static str {
        "average"
    }

    fn cpu_fwd(
        &self,
        mean: &mut CpuStorage,
        mean_layout: &Layout,
        weight: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<()> {
        let (CpuStorage::F32(mean), CpuStorage::F32(weight)) = (mean, weight) else {
            bail!("averages are of f32")
        };
        let (Some((a, b)), Some((start, end))) = (
            mean_layout.contiguous_offsets(),
            layout.contiguous_offsets(),
        ) else {
            bail!("averages are of contiguous weights")
        };
        let (mean, weight, share) = (&mut mean[a..b], &weight[start..end], self.0);
        if mean.len() != weight.len() {
            bail!("{} means of {} weights", mean.len(), weight.len());
        }
        mean.par_chunks_mut(CHUNK)
            .zip(weight.par_chunks(CHUNK))
            .for_each(|(mean, weight)| {
                for (mean, weight) in mean.iter_mut().zip(weight) {
                    *mean += (weight - *mean) * share;
                }
            });
        Ok(())
    }
}
