//! Normal numbers from a seed, for tests with a known distribution.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// `count` standard normal numbers.
pub fn normal(seed: u64, count: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) * 2f64.powi(-53);
    let mut out = Vec::with_capacity(count + 1);
    while out.len() < count {
        let (radius, angle) = (
            (-2.0 * uniform().ln()).sqrt(),
            std::f64::consts::TAU * uniform(),
        );
        out.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    out.truncate(count);
    out
}

/// Feature rows `[n, d]` of independent normal numbers.
pub fn rows(seed: u64, n: usize, d: usize, spread: f64, mean: f64) -> Vec<f32> {
    let values = normal(seed, n * d);
    values.iter().map(|v| (mean + spread * v) as f32).collect()
}

/// `rows` without those at the places `left`.
pub fn without(rows: &[f32], d: usize, left: &[usize]) -> Vec<f32> {
    let kept = rows
        .chunks(d)
        .enumerate()
        .filter(|(i, _)| !left.contains(i));
    kept.flat_map(|(_, row)| row.to_vec()).collect()
}

/// Passes when `a` is within a part `rel` of `b`.
#[track_caller]
pub fn near(a: f64, b: f64, rel: f64) {
    assert!((a - b).abs() <= rel * b.abs(), "{a} is not near {b}");
}
