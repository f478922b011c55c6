//! What images add to the difference of two scores, where image i of both came from the same noise and class.

use anyhow::{Result, ensure};

/// What each image adds to a share of `true`, times the number of images: `[n]`, mean 0.
pub fn of_hits(hits: impl Iterator<Item = bool> + Clone) -> Vec<f64> {
    let (sum, n) = hits.clone().fold((0.0, 0.0), |(sum, n), hit| {
        (sum + f64::from(u8::from(hit)), n + 1.0)
    });
    hits.map(|hit| f64::from(u8::from(hit)) - sum / n).collect()
}

/// What each image adds to score `to` minus score `from`, times the number of images (`[n]`, mean 0), from what it adds
/// to each: an image that is drawn again is drawn again for both.
///
/// # Errors
/// Where the two have not the same images.
pub fn difference(from: &[f64], to: &[f64]) -> Result<Vec<f64>> {
    let n = from.len();
    ensure!(
        n > 0 && to.len() == n,
        "{n} and {} images are not pairs",
        to.len()
    );
    Ok(from.iter().zip(to).map(|(a, b)| b - a).collect())
}
