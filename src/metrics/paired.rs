//! How sure the difference of two scores is where image i of both came from the same noise and class.

use crate::metrics::draws::below;
use anyhow::{Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

/// Sets of images drawn again for an interval.
pub const RESAMPLES: usize = 2000;

/// What each image adds to a share of `true`, times the number of images: [n], mean 0.
pub fn of_hits(hits: impl Iterator<Item = bool> + Clone) -> Vec<f64> {
    let (sum, n) = hits.clone().fold((0.0, 0.0), |(sum, n), hit| {
        (sum + f64::from(u8::from(hit)), n + 1.0)
    });
    hits.map(|hit| f64::from(u8::from(hit)) - sum / n).collect()
}

/// The 95 % percentile interval of `difference` (score `to` minus score `from`) by a paired bootstrap over images:
/// sets of n images are drawn again, the same for both scores, and each score moves as its images' influences
/// (`from` and `to`, [n]) say, to first order.
///
/// # Errors
/// Where the two have not the same images.
pub fn interval(difference: f64, from: &[f64], to: &[f64]) -> Result<(f64, f64)> {
    let n = from.len();
    ensure!(
        n > 0 && to.len() == n,
        "{n} and {} images are not pairs",
        to.len()
    );
    let each: Vec<f64> = from.iter().zip(to).map(|(a, b)| b - a).collect();
    let mut moved: Vec<f64> = (0..RESAMPLES as u64)
        .into_par_iter()
        .map(|resample| {
            let mut rng = ChaCha8Rng::from_seed(*b"runner: paired bootstrap, images");
            rng.set_stream(resample);
            (0..n).map(|_| each[below(&mut rng, n)]).sum::<f64>() / n as f64
        })
        .collect();
    moved.sort_by(f64::total_cmp);
    let at = |share: f64| moved[((share * RESAMPLES as f64) as usize).min(RESAMPLES - 1)];
    Ok((difference + at(0.025), difference + at(0.975)))
}
