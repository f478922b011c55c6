//! The one micro-kernel that convolutions, matrix products and attention are built on.
//!
//! `out[u * out_step + v] (+)= sum over runs (offset, n), k < n: x[offset + k * x_step + u * XU] * w[v]`, where `w`
//! advances by `w_step` at every k. Each sum is taken in that order whatever the tile's size, so results
//! do not depend on how work was cut into tiles. `Finish` adds a bias and cuts negative sums off where no other
//! operation of the layer follows.

use crate::machine::isa::Isa;

/// Rows `u` of a tile, at most.
pub const ROWS: usize = 14;
/// Columns `v` of a full tile: two AVX-512 registers.
pub const COLS: usize = 32;

/// One run of the reduction: where it starts in `x`, and its number of steps.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub offset: usize,
    pub n: usize,
}

/// What a tile's sums do to what `out` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// They take its place.
    Replace,
    /// They are added to it.
    Add,
}

/// What becomes of a tile's sums on their way out.
#[derive(Clone, Copy)]
pub struct Finish {
    /// floats from a row's first sixteen columns to its other sixteen in `out`
    pub half: usize,
    /// what the sums start from instead of zero, one float a column; or null
    pub bias: *const f32,
    /// negative sums become zero
    pub relu: bool,
}

impl Finish {
    /// Columns side by side, nothing added, nothing cut off.
    pub const PLAIN: Finish = Finish {
        half: 16,
        bias: std::ptr::null(),
        relu: false,
    };
}

/// One call of the micro-kernel. `x`, `w` and `out` must cover every element that the formula touches.
#[derive(Clone, Copy)]
pub struct Tile {
    /// 1..=ROWS
    pub rows: usize,
    /// 32 columns, else 16
    pub full: bool,
    pub x: *const f32,
    pub x_step: usize,
    pub w: *const f32,
    pub w_step: usize,
    pub out: *mut f32,
    pub out_step: usize,
    pub write: Write,
    pub finish: Finish,
}

/// # Safety
/// The tile's pointers must be valid for what the formula at the top touches.
pub type Kernel = unsafe fn(&Tile, &[Run]);

/// The micro-kernel whose rows are `XU` floats apart in `x`.
pub fn kernel<const XU: usize>(isa: Isa) -> Kernel {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => x86::avx512::<XU>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => x86::avx2::<XU>,
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => neon::neon::<XU>,
        _ => portable::<XU>,
    }
}

/// Splits `n` rows into tiles of nearly equal height, never 14 + 3: calls `f(first row, rows)`.
#[inline]
pub fn tiles(isa: Isa, n: usize, mut f: impl FnMut(usize, usize)) {
    let most = if isa == Isa::Avx512 { ROWS } else { 12 };
    let parts = n.div_ceil(most);
    let mut start = 0;
    for i in 0..parts {
        let rows = n / parts + usize::from(i < n % parts);
        f(start, rows);
        start += rows;
    }
}

/// Plain loops over sixteen-wide arrays: for machines without a kernel of their own, and for comparison.
unsafe fn portable<const XU: usize>(t: &Tile, runs: &[Run]) {
    for u in 0..t.rows {
        for half in 0..1 + usize::from(t.full) {
            // SAFETY: the caller vouches for the tile.
            unsafe {
                let out = t.out.add(u * t.out_step + half * t.finish.half) as *mut [f32; 16];
                let mut sum = if t.write == Write::Add {
                    *out
                } else if t.finish.bias.is_null() {
                    [0f32; 16]
                } else {
                    *(t.finish.bias.add(half * 16) as *const [f32; 16])
                };
                let mut w = t.w.add(half * 16);
                for run in runs {
                    for k in 0..run.n {
                        let x = *t.x.add(run.offset + k * t.x_step + u * XU);
                        let row = *(w as *const [f32; 16]);
                        for i in 0..16 {
                            sum[i] += x * row[i];
                        }
                        w = w.add(t.w_step);
                    }
                }
                if t.finish.relu {
                    sum = sum.map(|v| if v < 0.0 { 0.0 } else { v });
                }
                *out = sum;
            }
        }
    }
}

/// A tile of UR rows by NV vectors, all sums in registers.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! tile {
    ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $store:ident, $splat:ident, $fma:ident, $max:ident) => {
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $name<const UR: usize, const NV: usize, const XU: usize>(t: &Tile, runs: &[Run]) {
            // SAFETY: the caller vouches for the tile.
            unsafe {
                let mut sum = [[$zero(); NV]; UR];
                let out = |u: usize, v: usize| {
                    let (half, within) = (v * $lanes / 16, v * $lanes % 16);
                    t.out.add(u * t.out_step + half * t.finish.half + within)
                };
                if t.write == Write::Add {
                    for u in 0..UR {
                        for v in 0..NV {
                            sum[u][v] = $load(out(u, v));
                        }
                    }
                } else if !t.finish.bias.is_null() {
                    for v in 0..NV {
                        let bias = $load(t.finish.bias.add(v * $lanes));
                        for u in 0..UR {
                            sum[u][v] = bias;
                        }
                    }
                }
                let mut w = t.w;
                let (x_step, w_step) = (t.x_step, t.w_step);
                for run in runs {
                    let mut x = t.x.add(run.offset);
                    for _ in 0..run.n {
                        let mut row = [$zero(); NV];
                        for v in 0..NV {
                            row[v] = $load(w.add(v * $lanes));
                        }
                        for u in 0..UR {
                            let value = $splat(*x.add(u * XU));
                            for v in 0..NV {
                                sum[u][v] = $fma(value, row[v], sum[u][v]);
                            }
                        }
                        w = w.add(w_step);
                        x = x.add(x_step);
                    }
                }
                if t.finish.relu {
                    for u in 0..UR {
                        for v in 0..NV {
                            // `max` answers with its second operand where that is NaN: NaN stays NaN.
                            sum[u][v] = $max($zero(), sum[u][v]);
                        }
                    }
                }
                for u in 0..UR {
                    for v in 0..NV {
                        $store(out(u, v), sum[u][v]);
                    }
                }
            }
        }
    };
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! pick {
    ($tile:ident, $vectors:literal, $rows:expr, ($($n:literal)*), $t:expr, $runs:expr) => {
        match $rows {
            $($n => $tile::<$n, $vectors, XU>($t, $runs),)*
            _ => unreachable!("a tile has at most 14 rows"),
        }
    };
}

/// `$entry` for a machine whose registers hold six rows of sixteen columns: taller and wider tiles go part by part.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! by_sixes {
    ($entry:ident, $parts:ident, $tile:ident, $vectors:literal, $features:literal) => {
        #[target_feature(enable = $features)]
        unsafe fn $parts<const XU: usize>(t: &Tile, runs: &[Run]) {
            for half in 0..1 + usize::from(t.full) {
                let mut u = 0;
                while u < t.rows {
                    // 14 rows go as 5 + 5 + 4.
                    let left = t.rows - u;
                    let rows = left.div_ceil(left.div_ceil(6));
                    // SAFETY: the caller vouches for the tile, and this is a part of it.
                    unsafe {
                        let bias = if t.finish.bias.is_null() {
                            t.finish.bias
                        } else {
                            t.finish.bias.add(16 * half)
                        };
                        let part = Tile {
                            rows,
                            x: t.x.add(u * XU),
                            w: t.w.add(16 * half),
                            out: t.out.add(u * t.out_step + t.finish.half * half),
                            finish: Finish { bias, ..t.finish },
                            ..*t
                        };
                        pick!($tile, $vectors, rows, (1 2 3 4 5 6), &part, runs);
                    }
                    u += rows;
                }
            }
        }

        /// # Safety
        /// The machine has the instructions, and the caller vouches for the tile.
        pub unsafe fn $entry<const XU: usize>(t: &Tile, runs: &[Run]) {
            unsafe { $parts::<XU>(t, runs) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Finish, Run, Tile, Write};
    use std::arch::x86_64::*;

    tile!(
        tile512,
        "avx512f",
        16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_max_ps
    );
    tile!(
        tile256,
        "avx2,fma",
        8,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_max_ps
    );

    #[target_feature(enable = "avx512f")]
    unsafe fn pick512<const XU: usize>(t: &Tile, runs: &[Run]) {
        // SAFETY: the caller vouches for the tile.
        unsafe {
            if t.full {
                pick!(tile512, 2, t.rows, (1 2 3 4 5 6 7 8 9 10 11 12 13 14), t, runs)
            } else {
                pick!(tile512, 1, t.rows, (1 2 3 4 5 6 7 8 9 10 11 12 13 14), t, runs)
            }
        }
    }

    /// # Safety
    /// The machine has AVX-512F, and the caller vouches for the tile.
    pub unsafe fn avx512<const XU: usize>(t: &Tile, runs: &[Run]) {
        unsafe { pick512::<XU>(t, runs) }
    }

    by_sixes!(avx2, pick256, tile256, 2, "avx2,fma");
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{Finish, Run, Tile, Write};
    use std::arch::aarch64::*;

    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // SAFETY: every machine of this kind has NEON; here and below.
        unsafe { vdupq_n_f32(0.0) }
    }

    /// a * b + c
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        unsafe { vfmaq_f32(c, a, b) }
    }

    /// The larger, and `b` where it is NaN.
    #[inline(always)]
    unsafe fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
    }

    tile!(
        tile128,
        "neon",
        4,
        zero,
        vld1q_f32,
        vst1q_f32,
        vdupq_n_f32,
        fma,
        max
    );

    by_sixes!(neon, pick128, tile128, 4, "neon");
}
