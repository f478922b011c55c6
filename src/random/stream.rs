//! Streams of ChaCha8 by seed, purpose, lane and step, and what is drawn from one: whole numbers, fractions, Gaussians.

pub use rand_chacha::ChaCha8Rng;
pub use rand_chacha::rand_core::Rng;
use rand_chacha::rand_core::SeedableRng;
use std::f64::consts::TAU;

/// Words between two steps of one lane: more than one step can use.
const STEP: u128 = 1 << 32;

/// Words of a block of ChaCha.
const BLOCK: u128 = 16;

/// The key of the streams of `seed`. `purpose`, of which the first 24 bytes count, keeps uses of one seed apart.
pub fn key(seed: u64, purpose: impl AsRef<[u8]>) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    for (slot, byte) in key[8..].iter_mut().zip(purpose.as_ref()) {
        *slot = *byte;
    }
    key
}

/// The block of ChaCha, counted from 0, with which `step` of a lane begins.
pub fn first_block(step: u64) -> u64 {
    step.wrapping_mul((STEP / BLOCK) as u64)
}

/// The stream of `lane` at `step`.
pub fn stream(seed: u64, purpose: impl AsRef<[u8]>, lane: u64, step: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::from_seed(key(seed, purpose));
    rng.set_stream(lane);
    rng.set_word_pos(u128::from(step) * STEP);
    rng
}

/// The stream of `lane` of a family that no seed changes; the first 32 bytes of `name` count.
pub fn named(name: impl AsRef<[u8]>, lane: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(name.as_ref()) {
        *slot = *byte;
    }
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(lane);
    rng
}

/// Uniform in [0, 1), with 53 random bits.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * 2f64.powi(-53)
}

/// Uniform in 0..n; 0 where n is 0.
pub fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// Radius and angle of a point whose two coordinates are independent N(0, 1) (Box and Muller, "A Note on the Generation of
/// Random Normal Deviates", 1958).
pub fn polar(rng: &mut ChaCha8Rng) -> (f64, f64) {
    // 1 - u lies in (0, 1], so the logarithm is finite.
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    (radius, TAU * uniform(rng))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_the_part_of_the_name_after_the_seed() {
        let mut name = [0; 32];
        name[0] = 5;
        name[8..13].copy_from_slice(b"label");
        let (mut one, mut other) = (stream(5, "label", 3, 0), named(name, 3));
        assert_eq!(one.next_u64(), other.next_u64());
        assert_eq!(one.next_u64(), other.next_u64());
    }

    #[test]
    fn a_step_has_words_of_its_own_in_its_lane() {
        let mut all = stream(5, "sample", 3, 0);
        all.set_word_pos(2 * STEP);
        assert_eq!(all.next_u64(), stream(5, "sample", 3, 2).next_u64());
    }

    #[test]
    fn numbers_below_n_fill_their_range() {
        let mut rng = stream(0, "test", 0, 0);
        let mut counts = [0; 3];
        (0..3000).for_each(|_| counts[below(&mut rng, 3)] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)));
    }

    #[test]
    fn coordinates_of_points_have_mean_zero_and_variance_one() {
        let mut rng = stream(0, "test", 1, 0);
        let points: Vec<f64> = (0..20_000)
            .flat_map(|_| {
                let (radius, angle) = polar(&mut rng);
                [radius * angle.cos(), radius * angle.sin()]
            })
            .collect();
        let n = points.len() as f64;
        let mean = points.iter().sum::<f64>() / n;
        let variance = points.iter().map(|v| v * v).sum::<f64>() / n;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03);
    }
}
