//! NumPy's `RandomState(seed)`: the shuffles and draws of torch-fidelity, dgm-eval and clean-fid.

const SIZE: usize = 624;
const SHIFT: usize = 397;

/// MT19937 as seeded by one 32-bit number.
pub(crate) struct Mersenne {
    state: [u32; SIZE],
    next: usize,
}

impl Mersenne {
    pub(crate) fn new(seed: u32) -> Mersenne {
        let mut state = [0; SIZE];
        state[0] = seed;
        for i in 1..SIZE {
            let last: u32 = state[i - 1];
            state[i] = (last ^ (last >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Mersenne { state, next: SIZE }
    }

    fn refill(&mut self) {
        for i in 0..SIZE {
            let high = self.state[i] & 0x8000_0000;
            let y = high | (self.state[(i + 1) % SIZE] & 0x7fff_ffff);
            let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + SHIFT) % SIZE] ^ (y >> 1) ^ twist;
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next == SIZE {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// Uniform in 0..=max: words are masked and those above `max` drawn again.
    fn up_to(&mut self, max: u32) -> u32 {
        let mask = u32::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
        loop {
            let value = self.word() & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// The order of `n` rows (fewer than 2³²) after NumPy's legacy shuffle.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.up_to(i as u32) as usize);
        }
        order
    }

    /// NumPy's `choice(n, count, replace=False)`: the first of a whole permutation.
    pub(crate) fn choice(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut order = self.permutation(n);
        order.truncate(count);
        order
    }
}
