//! Rows drawn without replacement from seeds, in our own way; the published programs' is in `mersenne`.

use crate::random::stream::{below, stream};

/// `count` different numbers below `n`, in random order: they depend on the seed, the lane and
/// the two counts alone.
pub fn subset(seed: u64, lane: u64, n: usize, count: usize) -> Vec<usize> {
    let mut rng = stream(seed, "subset", lane, 0);
    let mut order: Vec<usize> = (0..n).collect();
    for i in 0..count {
        order.swap(i, i + below(&mut rng, n - i));
    }
    order.truncate(count);
    order
}
