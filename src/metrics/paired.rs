//! How sure the difference of two scores is where image i of both came from the same noise and class.

use crate::metrics::resample::percentiles;
use anyhow::{Result, ensure};

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
    let (low, high) = percentiles(&each);
    Ok((difference + low, difference + high))
}
