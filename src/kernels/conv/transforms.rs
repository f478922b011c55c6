//! The tile transforms of Winograd F(2x2, 3x3), sixteen channels at a time (Lavin and Gray, "Fast Algorithms for
//! Convolutional Neural Networks", arXiv:1509.09308, equation 8).

use crate::kernels::simd::lanes::Lanes;
use crate::kernels::simd::tile::COLS;
use crate::machine::isa::{Isa, per_isa};
use crate::machine::scratch::Line;

/// Frequencies of a tile.
pub const F: usize = 16;

/// One input tile: `x` at its corner (`row` floats a row, 16 a pixel), `v` at frequency 0 of the result, `step` floats
/// from one frequency to the next.
pub type Input = unsafe fn(x: *const f32, row: usize, v: *mut f32, step: usize);
/// One output tile: `m` at frequency 0, `y` at its corner (`row` floats a row, 32 a pixel), only `rows` x `cols` of it.
pub type Output =
    unsafe fn(m: *const f32, step: usize, y: *mut f32, row: usize, rows: usize, cols: usize);

/// B^T d
#[inline(always)]
unsafe fn bt<V: Lanes>(d: [V; 4]) -> [V; 4] {
    unsafe {
        [
            d[0].sub(d[2]),
            d[1].add(d[2]),
            d[2].sub(d[1]),
            d[1].sub(d[3]),
        ]
    }
}

/// A^T m
#[inline(always)]
unsafe fn at<V: Lanes>(m: [V; 4]) -> [V; 2] {
    unsafe { [m[0].add(m[1].add(m[2])), m[1].sub(m[2]).sub(m[3])] }
}

/// Four vectors, `step` floats apart.
#[inline(always)]
unsafe fn four<V: Lanes>(p: *const f32, step: usize) -> [V; 4] {
    unsafe {
        [
            V::load(p),
            V::load(p.add(step)),
            V::load(p.add(2 * step)),
            V::load(p.add(3 * step)),
        ]
    }
}

/// V = B^T d B
#[inline(always)]
unsafe fn input<V: Lanes>(x: *const f32, row: usize, v: *mut f32, step: usize) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let t = [
            bt(four::<V>(x, row)),
            bt(four::<V>(x.add(16), row)),
            bt(four::<V>(x.add(32), row)),
            bt(four::<V>(x.add(48), row)),
        ];
        let [t0, t1, t2, t3] = t;
        for r in 0..4 {
            let d = bt([t0[r], t1[r], t2[r], t3[r]]);
            for (c, value) in d.into_iter().enumerate() {
                value.store(v.add((r * 4 + c) * step));
            }
        }
    }
}

/// Y = A^T m A
#[inline(always)]
unsafe fn output<V: Lanes>(
    m: *const f32,
    step: usize,
    y: *mut f32,
    row: usize,
    rows: usize,
    cols: usize,
) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let t = [
            at(four::<V>(m, 4 * step)),
            at(four::<V>(m.add(step), 4 * step)),
            at(four::<V>(m.add(2 * step), 4 * step)),
            at(four::<V>(m.add(3 * step), 4 * step)),
        ];
        let [t0, t1, t2, t3] = t;
        for r in 0..rows {
            let d = at([t0[r], t1[r], t2[r], t3[r]]);
            d[0].store(y.add(r * row));
            if cols > 1 {
                d[1].store(y.add(r * row + COLS));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::kernels::conv::transforms::{input, output};
    use std::arch::x86_64::{__m256, __m512};

    #[target_feature(enable = "avx512f")]
    pub unsafe fn input512(x: *const f32, row: usize, v: *mut f32, step: usize) {
        unsafe { input::<__m512>(x, row, v, step) }
    }
    #[target_feature(enable = "avx512f")]
    pub unsafe fn output512(m: *const f32, s: usize, y: *mut f32, row: usize, r: usize, c: usize) {
        unsafe { output::<__m512>(m, s, y, row, r, c) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn input256(x: *const f32, row: usize, v: *mut f32, step: usize) {
        unsafe { input::<[__m256; 2]>(x, row, v, step) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn output256(m: *const f32, s: usize, y: *mut f32, row: usize, r: usize, c: usize) {
        unsafe { output::<[__m256; 2]>(m, s, y, row, r, c) }
    }
}

/// The two transforms for this instruction set.
pub fn transforms(isa: Isa) -> (Input, Output) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => (x86::input512, x86::output512),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => (x86::input256, x86::output256),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => {
            use std::arch::aarch64::float32x4_t;
            (input::<[float32x4_t; 4]>, output::<[float32x4_t; 4]>)
        }
        _ => (input::<[f32; 16]>, output::<[f32; 16]>),
    }
}

/// G g
#[inline(always)]
unsafe fn g<V: Lanes>(k: [V; 3]) -> [V; 4] {
    unsafe {
        let (half, ends) = (V::splat(0.5), k[0].add(k[2]));
        [
            k[0],
            ends.add(k[1]).mul(half),
            ends.sub(k[1]).mul(half),
            k[2],
        ]
    }
}

per_isa! {
    /// U = G g G^T: nine taps of each input channel, sixteen output channels a line, to sixteen frequencies. Channel `i`
    /// of frequency `f` goes to line `(f * channels + i) * step` of `u`.
    pub fn weights(taps: &[Line], channels: usize, step: usize, u: &mut [Line]) = weights_body
}

#[inline(always)]
unsafe fn weights_body<V: Lanes>(taps: &[Line], channels: usize, step: usize, u: &mut [Line]) {
    for (i, taps) in taps.chunks_exact(9).enumerate() {
        // SAFETY: lines hold sixteen floats.
        unsafe {
            let at = |t: usize| V::load(taps[t].0.as_ptr());
            let t0 = g([at(0), at(3), at(6)]);
            let t1 = g([at(1), at(4), at(7)]);
            let t2 = g([at(2), at(5), at(8)]);
            for r in 0..4 {
                let row = g([t0[r], t1[r], t2[r]]);
                for (c, value) in row.into_iter().enumerate() {
                    let line = &mut u[((r * 4 + c) * channels + i) * step];
                    value.store(line.0.as_mut_ptr());
                }
            }
        }
    }
}
