//! Counter-based random numbers: any word of any stream, without drawing those before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Words between two steps of one lane: more than one step can use.
const STEP: u128 = 1 << 32;

/// The stream of `lane` at `step`. `purpose` (up to 24 bytes) keeps uses of one seed apart.
pub fn stream(seed: u64, purpose: &str, lane: u64, step: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    for (slot, byte) in key[8..].iter_mut().zip(purpose.bytes()) {
        *slot = byte;
    }
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(lane);
    rng.set_word_pos(u128::from(step) * STEP);
    rng
}

/// Uniform in [0, 1), with 53 random bits.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * 2f64.powi(-53)
}

/// Uniform in 0..n.
pub fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(n)) >> 64) as u64
}
