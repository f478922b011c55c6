//! Images drawn again: how far the mean of what each contributes moves between sets of them.

use crate::random::stream::{below, named};
use rayon::prelude::*;

/// Sets of images drawn again for an interval.
pub const RESAMPLES: usize = 2000;

/// The 2.5th and the 97.5th percentile of the mean of n values drawn with replacement from the n of `each`: a function
/// of the values alone, whatever the number of threads.
pub fn percentiles(each: &[f64]) -> (f64, f64) {
    let n = each.len();
    if n == 0 {
        return (0.0, 0.0);
    }
    let mut means: Vec<f64> = (0..RESAMPLES as u64)
        .into_par_iter()
        .map(|resample| {
            let mut rng = named("runner: images are drawn again..", resample);
            (0..n).map(|_| each[below(&mut rng, n)]).sum::<f64>() / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((share * RESAMPLES as f64) as usize).min(RESAMPLES - 1)];
    (at(0.025), at(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::intervals::normal::Z;

    #[test]
    fn the_percentiles_of_many_images_are_those_of_a_normal_distribution() {
        let each: Vec<f64> = (0..4000).map(|i| f64::from(i % 40) - 19.5).collect();
        let spread = (each.iter().map(|v| v * v).sum::<f64>() / 4000.0).sqrt();
        let (low, high) = percentiles(&each);
        let half = Z * spread / 4000f64.sqrt();
        assert!((low / -half - 1.0).abs() < 0.1, "{low} for {}", -half);
        assert!((high / half - 1.0).abs() < 0.1, "{high} for {half}");
    }

    #[test]
    fn a_few_heavy_images_stretch_the_interval_to_their_side() {
        let mut each = vec![-1.0; 100];
        each[..2].fill(49.0);
        let (low, high) = percentiles(&each);
        assert!(high > 1.2 * -low, "[{low}, {high}]");
    }
}
