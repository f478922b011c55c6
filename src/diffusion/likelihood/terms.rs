//! The terms of the variational bound (DDPM, arXiv:2006.11239, equation 5) in bits per dimension, and what they are made of.

use crate::diffusion::process::at::{At, Zeros};
use crate::diffusion::process::posterior::Posterior;
use crate::diffusion::process::schedule::Schedule;
use candle_core::{Result, Tensor};
use std::f64::consts::{LN_2, PI};

/// Half the width of a level of u8 images in [-1, 1].
const HALF_LEVEL: f64 = 1.0 / 255.0;
/// Probabilities are kept above this before the logarithm.
const SMALLEST: f64 = 1e-12;

/// x [n, ...] → `[n]`
pub fn mean_flat(x: &Tensor) -> Result<Tensor> {
    x.flatten_from(1)?.mean(1)
}

/// (a - b)², averaged over each image: `[n]`.
pub fn squared_error(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    mean_flat(&(a - b)?.sqr()?)
}

/// log of the probability that N(mean, exp(log_scale)²) gives x's level of u8, in nats, of x's shape (DDPM, equation
/// 13); x [n, ...] in [-1, 1]. The outer levels reach to infinity.
pub fn discretized_log_likelihood(x: &Tensor, mean: &Tensor, log_scale: &Tensor) -> Result<Tensor> {
    let centered = (x - mean)?;
    let inverse = log_scale.neg()?.exp()?;
    let upper = normal_cdf(&(&centered + HALF_LEVEL)?.mul(&inverse)?)?;
    let lower = normal_cdf(&(&centered - HALF_LEVEL)?.mul(&inverse)?)?;
    let log = |p: &Tensor| p.maximum(SMALLEST)?.log();
    let darkest = log(&upper)?;
    let brightest = log(&lower.affine(-1.0, 1.0)?)?;
    let between = log(&(upper - lower)?)?;
    let inside = x.gt(0.999)?.where_cond(&brightest, &between)?;
    x.lt(-0.999)?.where_cond(&darkest, &inside)
}

/// The tanh approximation of the standard normal's cumulative distribution.
fn normal_cdf(z: &Tensor) -> Result<Tensor> {
    let inner = z.sqr()?.affine(0.044715, 1.0)?.mul(z)?;
    (inner * (2.0 / PI).sqrt())?.tanh()?.affine(0.5, 0.5)
}

/// One term of the variational bound, bits per dimension `[n]`: the divergence of the true posterior from the net's (L_{t-1}),
/// and at step 0 the negative log-likelihood of the image itself (L_0).
pub fn bound_term(
    schedule: &Schedule,
    posterior: &Posterior,
    x0: &Tensor,
    x: &Tensor,
    at: At,
) -> Result<Tensor> {
    let divergence = || -> Result<Tensor> {
        let truth = schedule.posterior_mean(x0, x, at)?;
        let log_truth = |i: usize| schedule.posterior_log_variance[i];
        // The two logarithms and the two ones nearly cancel: each pair is subtracted first, before the small rest is added up.
        let apart = at.affine(&posterior.log_variance, |_| 1.0, |i| -log_truth(i))?;
        let ratio = apart.neg()?.exp()?;
        let square = (truth - &posterior.mean)?.sqr()?;
        let shift = at.scale(&square, |i| (-log_truth(i)).exp())?.mul(&ratio)?;
        let spread = (apart + (ratio - 1.0)?)?;
        mean_flat(&(spread + shift)?)?.affine(0.5 / LN_2, 0.0)
    };
    let decoder = || -> Result<Tensor> {
        let log_scale = posterior.log_variance.affine(0.5, 0.0)?;
        let log_p = discretized_log_likelihood(x0, &posterior.mean, &log_scale)?;
        mean_flat(&log_p)?.affine(-1.0 / LN_2, 0.0)
    };
    match at.zeros() {
        Zeros::None => divergence(),
        Zeros::All => decoder(),
        Zeros::Among(places) => {
            let zero: Vec<u8> = places.iter().map(|&i| u8::from(i == 0)).collect();
            Tensor::from_vec(zero, places.len(), x.device())?
                .where_cond(&decoder()?, &divergence()?)
        }
    }
}

/// Divergence of q(x_T | x_0) from N(0, 1), bits per dimension `[n]` (L_T).
pub fn prior_term(schedule: &Schedule, x0: &Tensor) -> Result<Tensor> {
    let alpha_bar = schedule.alpha_bar[schedule.len() - 1];
    let variance = 1.0 - alpha_bar;
    mean_flat(&x0.sqr()?.affine(alpha_bar, 0.0)?)?
        .affine(0.5 / LN_2, 0.5 / LN_2 * (variance - variance.ln() - 1.0))
}
