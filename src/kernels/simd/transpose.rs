//! Transposes of blocks of up to 16 x 16 floats: between NCHW planes and channels side by side.

use crate::machine::isa::Isa;
use std::ops::Range;

/// What is written to a row of 16 after what the source has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    Nothing,
    Zeros,
}

/// `dst[j * dst_step + r] = src[r * src_step + j] + bias[j]` for r < rows, j < cols (both at most 16).
#[derive(Clone, Copy)]
pub struct Block {
    pub src: *const f32,
    pub src_step: usize,
    pub rows: usize,
    pub cols: usize,
    pub dst: *mut f32,
    pub dst_step: usize,
    pub rest: Rest,
    /// `cols` floats, or null
    pub bias: *const f32,
}

/// # Safety
/// `src`, `dst` and `bias` must be valid for what the formula above touches.
pub unsafe fn transpose(isa: Isa, b: &Block) {
    // SAFETY: the caller vouches for the block, `isa` for the instructions.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 {
            return x86::transpose(b);
        }
        let _ = isa;
        // Whole squares of four by four, then what is left below and beside them.
        let (rows, cols) = (b.rows / 4 * 4, b.cols / 4 * 4);
        for j in (0..cols).step_by(4) {
            for r in (0..rows).step_by(4) {
                square(b, r, j);
            }
        }
        each(b, 0..b.rows, cols..b.cols);
        each(b, rows..b.rows, 0..cols);
        if b.rest == Rest::Zeros {
            for j in 0..b.cols {
                for r in b.rows..16 {
                    *b.dst.add(j * b.dst_step + r) = 0.0;
                }
            }
        }
    }
}

/// Rows and columns one by one.
///
/// # Safety
/// The caller vouches for the block, which they lie within.
unsafe fn each(b: &Block, rows: Range<usize>, cols: Range<usize>) {
    for j in cols {
        for r in rows.clone() {
            // SAFETY: the caller vouches for the block.
            unsafe {
                let value = *b.src.add(r * b.src_step + j);
                *b.dst.add(j * b.dst_step + r) = if b.bias.is_null() {
                    value
                } else {
                    value + *b.bias.add(j)
                };
            }
        }
    }
}

/// Rows `r..r + 4` and columns `j..j + 4`, by the instructions that every machine of this kind has.
///
/// # Safety
/// The caller vouches for the block, which they lie within.
#[inline(always)]
unsafe fn square(b: &Block, r: usize, j: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64; the caller vouches for the block.
    unsafe {
        use std::arch::x86_64::*;
        let row = |i: usize| _mm_loadu_ps(b.src.add((r + i) * b.src_step + j));
        let (low, high) = (
            [
                _mm_unpacklo_ps(row(0), row(1)),
                _mm_unpackhi_ps(row(0), row(1)),
            ],
            [
                _mm_unpacklo_ps(row(2), row(3)),
                _mm_unpackhi_ps(row(2), row(3)),
            ],
        );
        let columns = [
            _mm_movelh_ps(low[0], high[0]),
            _mm_movehl_ps(high[0], low[0]),
            _mm_movelh_ps(low[1], high[1]),
            _mm_movehl_ps(high[1], low[1]),
        ];
        for (i, mut column) in columns.into_iter().enumerate() {
            if !b.bias.is_null() {
                column = _mm_add_ps(column, _mm_set1_ps(*b.bias.add(j + i)));
            }
            _mm_storeu_ps(b.dst.add((j + i) * b.dst_step + r), column);
        }
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: NEON is part of 64-bit ARM; the caller vouches for the block.
    unsafe {
        use std::arch::aarch64::*;
        let row = |i: usize| vreinterpretq_f64_f32(vld1q_f32(b.src.add((r + i) * b.src_step + j)));
        // Pairs of rows trade halves, then pairs of columns trade places.
        let (upper, lower) = (
            [vzip1q_f64(row(0), row(2)), vzip2q_f64(row(0), row(2))],
            [vzip1q_f64(row(1), row(3)), vzip2q_f64(row(1), row(3))],
        );
        for half in 0..2 {
            let a = vreinterpretq_f32_f64(upper[half]);
            let c = vreinterpretq_f32_f64(lower[half]);
            let (even, odd) = (vtrn1q_f32(a, c), vtrn2q_f32(a, c));
            for (i, mut column) in [even, odd].into_iter().enumerate() {
                let at = j + 2 * half + i;
                if !b.bias.is_null() {
                    column = vaddq_f32(column, vdupq_n_f32(*b.bias.add(at)));
                }
                vst1q_f32(b.dst.add(at * b.dst_step + r), column);
            }
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    // SAFETY: as above.
    unsafe {
        each(b, r..r + 4, j..j + 4)
    }
}

/// A whole matrix: `dst[j * dst_step + r] = src[r * src_step + j]` for r < rows, j < cols. With [`Rest::Zeros`], rows of
/// `dst` are filled with zeros to a multiple of 16.
///
/// # Safety
/// `src` and `dst` must be valid for what the formula touches.
pub unsafe fn transpose_all(
    isa: Isa,
    (src, src_step): (*const f32, usize),
    (rows, cols): (usize, usize),
    (dst, dst_step): (*mut f32, usize),
    rest: Rest,
) {
    for r in (0..rows).step_by(16) {
        for j in (0..cols).step_by(16) {
            // SAFETY: the blocks tile the matrix.
            unsafe {
                let block = Block {
                    src: src.add(r * src_step + j),
                    src_step,
                    rows: (rows - r).min(16),
                    cols: (cols - j).min(16),
                    dst: dst.add(j * dst_step + r),
                    dst_step,
                    rest,
                    bias: std::ptr::null(),
                };
                transpose(isa, &block);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Block, Rest};
    use std::arch::x86_64::*;

    /// # Safety
    /// The machine has AVX-512F, and the caller vouches for the block.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn transpose(b: &Block) {
        // SAFETY: masks keep loads and stores within the block.
        unsafe {
            let mut t = turn(load(b));
            if !b.bias.is_null() {
                for (j, row) in t.iter_mut().enumerate() {
                    if j < b.cols {
                        *row = _mm512_add_ps(*row, _mm512_set1_ps(*b.bias.add(j)));
                    }
                }
            }
            let mask = if b.rest == Rest::Zeros {
                0xffff
            } else {
                first(b.rows)
            };
            if b.cols == 16 && mask == 0xffff {
                for (j, row) in t.iter().enumerate() {
                    _mm512_storeu_ps(b.dst.add(j * b.dst_step), *row);
                }
            } else {
                for (j, row) in t.iter().enumerate() {
                    if j < b.cols {
                        _mm512_mask_storeu_ps(b.dst.add(j * b.dst_step), mask, *row);
                    }
                }
            }
        }
    }

    fn first(n: usize) -> __mmask16 {
        ((1u32 << n) - 1) as u16
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(b: &Block) -> [__m512; 16] {
        let mask = first(b.cols);
        let mut rows = [_mm512_setzero_ps(); 16];
        // SAFETY: only the block's own rows and columns are read.
        unsafe {
            if b.rows == 16 {
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = _mm512_maskz_loadu_ps(mask, b.src.add(i * b.src_step));
                }
            } else {
                for (i, row) in rows.iter_mut().enumerate() {
                    if i < b.rows {
                        *row = _mm512_maskz_loadu_ps(mask, b.src.add(i * b.src_step));
                    }
                }
            }
        }
        rows
    }

    /// Sixteen rows become sixteen columns: by pairs, by fours, then by quarters of registers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn turn(mut r: [__m512; 16]) -> [__m512; 16] {
        let mut t = [_mm512_setzero_ps(); 16];
        for i in 0..8 {
            t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        macro_rules! pairs {
            ($f:ident, $a:expr, $b:expr) => {
                _mm512_castpd_ps($f(_mm512_castps_pd($a), _mm512_castps_pd($b)))
            };
        }
        for i in 0..4 {
            let q = 4 * i;
            r[q] = pairs!(_mm512_unpacklo_pd, t[q], t[q + 2]);
            r[q + 1] = pairs!(_mm512_unpackhi_pd, t[q], t[q + 2]);
            r[q + 2] = pairs!(_mm512_unpacklo_pd, t[q + 1], t[q + 3]);
            r[q + 3] = pairs!(_mm512_unpackhi_pd, t[q + 1], t[q + 3]);
        }
        for j in 0..4 {
            let a = _mm512_shuffle_f32x4::<0x88>(r[j], r[4 + j]);
            let b = _mm512_shuffle_f32x4::<0x88>(r[8 + j], r[12 + j]);
            let c = _mm512_shuffle_f32x4::<0xdd>(r[j], r[4 + j]);
            let d = _mm512_shuffle_f32x4::<0xdd>(r[8 + j], r[12 + j]);
            t[j] = _mm512_shuffle_f32x4::<0x88>(a, b);
            t[8 + j] = _mm512_shuffle_f32x4::<0xdd>(a, b);
            t[4 + j] = _mm512_shuffle_f32x4::<0x88>(c, d);
            t[12 + j] = _mm512_shuffle_f32x4::<0xdd>(c, d);
        }
        t
    }
}
