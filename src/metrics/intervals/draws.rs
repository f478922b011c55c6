//! Rows drawn without replacement from seeds, in our own way; the published programs' is in `mersenne`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// `count` different numbers below `n`, in random order: they depend on the seed, the stream and
/// the two counts alone.
pub fn subset(seed: u64, stream: u64, n: usize, count: usize) -> Vec<usize> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..14].copy_from_slice(b"subset");
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    let mut order: Vec<usize> = (0..n).collect();
    for i in 0..count {
        order.swap(i, i + below(&mut rng, n - i));
    }
    order.truncate(count);
    order
}

/// Uniform in 0..n.
pub fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}
