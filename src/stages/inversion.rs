//! Real images to their noise and back by DDIM without noise of its own ("Denoising Diffusion Implicit Models", sections
//! 4.3 and 5.4 and appendix), and images between two of them.

use crate::diffusion::at::At;
use crate::diffusion::ddim;
use crate::diffusion::posterior::Reading;
use crate::metrics::resample::percentiles;
use crate::stages::bench::Progress;
use crate::stages::subject::{Batch, Subject};
use anyhow::Result;
use candle_core::{DType, Tensor};
use std::sync::atomic::AtomicBool;

/// A change of what is calculated gets a higher number.
const VERSION: u32 = 1;

/// How well images come back.
pub struct Inversion {
    /// Steps of the process each way.
    pub steps: usize,
    /// Squared error a dimension of images in [0, 1], the mean over images (the DDIM paper's table 2).
    pub error: f64,
    /// 95 % by a bootstrap over images.
    pub interval: (f64, f64),
    /// f32 [n, 3, side, side] of the first images, about [-1, 1].
    pub shown: Vec<f32>,
    /// Their noise.
    pub latents: Vec<f32>,
}

/// Encodes and decodes every image on `steps` of the process, x0 clamped as the release does both ways; `show` images are
/// given back.
///
/// # Errors
/// [`Stopped`](crate::stages::bench::Stopped) when `stop` was set: what is whole is kept.
pub fn invert(
    subject: &Subject,
    steps: &str,
    show: u64,
    tell: &dyn Fn(Progress),
    stop: &AtomicBool,
) -> Result<Inversion> {
    let schedule = subject.schedule(steps)?;
    let reading = subject.reading(&schedule, true);
    let ask = |batch: &Batch| {
        let latent = encode(subject, reading, &batch.x0, batch.labels.clone())?;
        let back = decode(subject, reading, &latent, batch.labels.clone())?;
        let error = ((&back - &batch.x0)? * 0.5)?.sqr()?;
        Ok(vec![
            ("error", error.flatten_from(1)?.mean(1)?),
            ("image", back),
            ("latent", latent),
        ])
    };
    let timesteps: Vec<f32> = (0..schedule.len()).map(|i| schedule.timestep(i)).collect();
    let answers = subject.ask(("inversion", VERSION), &timesteps, &ask, tell, stop)?;
    let errors = answers.rows("error", subject.count)?;
    let errors: Vec<f64> = errors.into_iter().map(f64::from).collect();
    let error = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    let apart: Vec<f64> = errors.iter().map(|v| v - error).collect();
    let (low, high) = percentiles(&apart);
    Ok(Inversion {
        steps: schedule.len(),
        error,
        interval: (error + low, error + high),
        shown: answers.rows("image", show)?,
        latents: answers.rows("latent", show)?,
    })
}

/// x0 [n, 3, side, side] → x_T of the same shape. An image counts as the process's least noisy state, from which S - 1
/// steps lead to its noisiest: an S-th would lead past the state that decoding starts from.
fn encode(
    subject: &Subject,
    reading: Reading,
    x0: &Tensor,
    labels: Option<Tensor>,
) -> Result<Tensor> {
    let denoise = subject.denoiser(labels);
    let mut x = x0.clone();
    for i in 0..reading.schedule.len() - 1 {
        let at = At::All(i);
        let t = reading.schedule.clock(at, x.dim(0)?, x.device())?;
        let answer = denoise(&x, &t)?.detach().to_dtype(DType::F32)?;
        let clean = reading.x0(&answer, &x, at)?;
        x = ddim::reverse(reading.schedule, &x, &clean, at)?;
    }
    Ok(x)
}

/// x_T → images, clamped to [-1, 1].
fn decode(
    subject: &Subject,
    reading: Reading,
    latent: &Tensor,
    labels: Option<Tensor>,
) -> Result<Tensor> {
    let denoise = subject.denoiser(labels);
    let mut x = latent.clone();
    for i in (0..reading.schedule.len()).rev() {
        let at = At::All(i);
        let t = reading.schedule.clock(at, x.dim(0)?, x.device())?;
        let answer = denoise(&x, &t)?.detach().to_dtype(DType::F32)?;
        let clean = reading.x0(&answer, &x, at)?;
        x = ddim::step(reading.schedule, &x, &clean, at, 0.0, None)?;
    }
    Ok(x.clamp(-1f32, 1f32)?)
}

/// Images along the great circles between the noise of images 0 and 1, 2 and 3, and so on: f32
/// [pairs * along, 3, side, side] in [-1, 1], pair after pair, ends included (the DDIM paper's equation 67). `along` is at
/// least 2; the asked class is that of the nearer end.
pub fn between(
    subject: &Subject,
    steps: &str,
    latents: &[f32],
    pairs: usize,
    along: usize,
) -> Result<Vec<f32>> {
    let schedule = subject.schedule(steps)?;
    let reading = subject.reading(&schedule, true);
    let shape = (along, 3, subject.side, subject.side);
    let each = 3 * subject.side * subject.side;
    let mut all = Vec::with_capacity(pairs * along * each);
    for pair in 0..pairs {
        let (a, b) = latents[2 * pair * each..][..2 * each].split_at(each);
        let shares: Vec<f64> = (0..along).map(|k| k as f64 / (along - 1) as f64).collect();
        let path: Vec<f32> = shares.iter().flat_map(|s| arc(a, b, *s)).collect();
        let latent = Tensor::from_vec(path, shape, subject.device())?;
        let nearer = shares.iter().map(|s| 2 * pair as u64 + u64::from(*s > 0.5));
        let labels = subject.labels(&nearer.collect::<Vec<_>>())?;
        let images = decode(subject, reading, &latent, labels)?;
        all.extend(images.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(all)
}

/// The point at `share` of the way from `a` to `b` on the great circle through both.
fn arc(a: &[f32], b: &[f32], share: f64) -> Vec<f32> {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        let products = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y));
        products.sum()
    };
    let cos = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    let angle = cos.clamp(-1.0, 1.0).acos();
    // Where both point the same way, the circle is the line.
    let (from, to) = match angle.sin() {
        sin if sin > 1e-6 => (
            ((1.0 - share) * angle).sin() / sin,
            (share * angle).sin() / sin,
        ),
        _ => (1.0 - share, share),
    };
    let mix = |(a, b): (&f32, &f32)| (from * f64::from(*a) + to * f64::from(*b)) as f32;
    a.iter().zip(b).map(mix).collect()
}

#[cfg(test)]
mod tests {
    use super::arc;

    #[test]
    fn an_arc_keeps_its_length_and_ends_at_its_ends() {
        let (a, b) = ([3.0f32, 0.0, 0.0], [0.0f32, 3.0, 0.0]);
        assert_eq!(arc(&a, &b, 0.0), a);
        let end = arc(&a, &b, 1.0);
        assert!(end.iter().zip(&b).all(|(x, y)| (x - y).abs() < 1e-6));
        let middle = arc(&a, &b, 0.5);
        let half = 3.0 / 2f32.sqrt();
        assert!((middle[0] - half).abs() < 1e-6 && (middle[1] - half).abs() < 1e-6);
        assert_eq!(arc(&a, &a, 0.3), a);
    }
}
