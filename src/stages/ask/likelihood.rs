//! Bits per dimension of real images under a denoiser, and the terms of the bound by timestep (ADM's `image_nll`).

use crate::diffusion::likelihood::bpd::{Bits, bits_per_dim};
use crate::diffusion::random::noise::Noise;
use crate::jobs::context::Watch;
use crate::metrics::intervals::resample::percentiles;
use crate::stages::ask::denoiser_on_images::{Batch, DenoiserOnImages};
use crate::stages::ask::measurement::{Arrays, Tick};
use anyhow::Result;

/// A change of what is calculated gets a higher number.
const VERSION: u32 = 1;

/// The bound of a set of images, in bits per dimension.
pub struct Likelihood {
    /// Images.
    pub count: u64,
    /// The mean over images.
    pub bits: f64,
    /// 95 % by a bootstrap over images.
    pub interval: (f64, f64),
    /// The prior's part of it.
    pub prior: f64,
    /// One a step, the noisiest first, as `image_nll` writes them.
    pub terms: Vec<Term>,
}

/// One step's means over images.
pub struct Term {
    /// On the clock of training, 0..T.
    pub timestep: f64,
    /// Its term of the bound, bits per dimension.
    pub vb: f64,
    /// Squared error of the noise.
    pub mse: f64,
    /// Squared error of x0, images in [-1, 1].
    pub xstart_mse: f64,
}

/// The bound on `steps` of the process with x0 clamped, every image under noise of its own, by `seed` and its index.
///
/// # Errors
/// [`Stopped`](crate::jobs::context::Stopped) when `watch` asked for it: what is complete is kept.
pub fn likelihood(
    net: &DenoiserOnImages,
    steps: &str,
    seed: u64,
    watch: Watch,
) -> Result<Likelihood> {
    let schedule = net.schedule(steps)?;
    let reading = net.reading(&schedule);
    let noise = Noise::apart(seed, "likelihood");
    let side = net.side;
    let measure = |batch: &Batch, tick: &mut Tick| {
        let denoise = net.denoiser(batch.labels.clone());
        let noise = |step: u64| noise.tensor(&batch.images, step, (3, side, side), net.device());
        let mut tick = |step: usize| tick(step, schedule.len());
        let bits = bits_per_dim(reading, &batch.x0, &denoise, &noise, &mut tick)?;
        Ok(bits.map(arrays))
    };
    let timesteps: Vec<f32> = (0..schedule.len()).map(|i| schedule.timestep(i)).collect();
    let of = (&timesteps, seed);
    let stored = net.measured(("likelihood", VERSION), &of, &measure, watch)?;
    let rows = |name: &str| stored.rows(name, net.count);
    let total: Vec<f64> = rows("total")?.into_iter().map(f64::from).collect();
    let bits = mean(&total);
    let apart: Vec<f64> = total.iter().map(|v| v - bits).collect();
    let (low, high) = percentiles(&apart);
    let prior: Vec<f64> = rows("prior")?.into_iter().map(f64::from).collect();
    let by_step = |name: &str| -> Result<Vec<f64>> {
        let all = rows(name)?;
        let wide = schedule.len();
        let column = |k: usize| all.iter().skip(k).step_by(wide).map(|v| f64::from(*v));
        Ok((0..wide)
            .map(|k| column(k).sum::<f64>() / net.count as f64)
            .collect())
    };
    let (vb, mse, xstart) = (by_step("vb")?, by_step("mse")?, by_step("xstart_mse")?);
    let terms = timesteps.iter().rev().enumerate().map(|(k, t)| Term {
        timestep: f64::from(*t),
        vb: vb[k],
        mse: mse[k],
        xstart_mse: xstart[k],
    });
    Ok(Likelihood {
        count: net.count,
        bits,
        interval: (bits + low, bits + high),
        prior: mean(&prior),
        terms: terms.collect(),
    })
}

/// What is kept of a batch: `total` and `prior` [n], the others [n, steps].
fn arrays(bits: Bits) -> Arrays {
    let Bits {
        total,
        prior,
        vb,
        xstart_mse,
        mse,
    } = bits;
    vec![
        ("total", total),
        ("prior", prior),
        ("vb", vb),
        ("xstart_mse", xstart_mse),
        ("mse", mse),
    ]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
