//! A stream of uniform numbers that depends on a stream name and an index only: ChaCha8, the same on every machine.

use crate::random::stream::{ChaCha8Rng, Rng, named};

/// The numbers of one scene.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of scene `index` of the family `name` (at most 32 bytes count).
    pub fn of(name: &str, index: u64) -> Draws {
        Draws(named(name, index))
    }

    /// Uniform in [0, 1), 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }
}
