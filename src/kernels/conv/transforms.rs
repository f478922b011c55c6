//! The tile transforms of Winograd F(2x2, 3x3), sixteen channels at a time (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks").

use crate::kernels::isa::Isa;
use crate::kernels::scratch::Line;
use crate::kernels::tile::COLS;

/// Frequencies of a tile.
pub const F: usize = 16;

/// Sixteen floats and the few operations that the transforms need.
trait Vector: Copy {
    unsafe fn load(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f32);
    unsafe fn add(self, o: Self) -> Self;
    unsafe fn sub(self, o: Self) -> Self;
}

impl Vector for [f32; 16] {
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        unsafe { *(p as *const Self) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { *(p as *mut Self) = self }
    }
    #[inline(always)]
    unsafe fn add(self, o: Self) -> Self {
        std::array::from_fn(|i| self[i] + o[i])
    }
    #[inline(always)]
    unsafe fn sub(self, o: Self) -> Self {
        std::array::from_fn(|i| self[i] - o[i])
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    impl super::Vector for __m512 {
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm512_storeu_ps(p, self) }
        }
        #[inline(always)]
        unsafe fn add(self, o: Self) -> Self {
            unsafe { _mm512_add_ps(self, o) }
        }
        #[inline(always)]
        unsafe fn sub(self, o: Self) -> Self {
            unsafe { _mm512_sub_ps(self, o) }
        }
    }
}

/// One input tile: `x` at its corner (`row` floats a row, 16 a pixel), `v` at frequency 0 of the result, `step` floats
/// from one frequency to the next.
pub type Input = unsafe fn(x: *const f32, row: usize, v: *mut f32, step: usize);
/// One output tile: `m` at frequency 0, `y` at its corner (`row` floats a row, 32 a pixel), only `rows` x `cols` of it.
pub type Output =
    unsafe fn(m: *const f32, step: usize, y: *mut f32, row: usize, rows: usize, cols: usize);

/// B^T d
#[inline(always)]
unsafe fn bt<V: Vector>(d: [V; 4]) -> [V; 4] {
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
unsafe fn at<V: Vector>(m: [V; 4]) -> [V; 2] {
    unsafe { [m[0].add(m[1].add(m[2])), m[1].sub(m[2]).sub(m[3])] }
}

/// Four vectors, `step` floats apart.
#[inline(always)]
unsafe fn four<V: Vector>(p: *const f32, step: usize) -> [V; 4] {
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
unsafe fn input<V: Vector>(x: *const f32, row: usize, v: *mut f32, step: usize) {
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
unsafe fn output<V: Vector>(
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
    use super::{input, output};
    use std::arch::x86_64::__m512;

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
        unsafe { input::<[f32; 16]>(x, row, v, step) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn output256(m: *const f32, s: usize, y: *mut f32, row: usize, r: usize, c: usize) {
        unsafe { output::<[f32; 16]>(m, s, y, row, r, c) }
    }
}

/// The two transforms for this instruction set.
pub fn transforms(isa: Isa) -> (Input, Output) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => (x86::input512, x86::output512),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => (x86::input256, x86::output256),
        _ => (input::<[f32; 16]>, output::<[f32; 16]>),
    }
}

/// U = G g G^T of sixteen output channels: nine taps to sixteen frequencies.
pub fn weight(taps: &[Line]) -> [Line; F] {
    let g = |k: [[f32; 16]; 3]| -> [[f32; 16]; 4] {
        let plus: [f32; 16] = std::array::from_fn(|i| 0.5 * (k[0][i] + k[2][i] + k[1][i]));
        let minus: [f32; 16] = std::array::from_fn(|i| 0.5 * (k[0][i] + k[2][i] - k[1][i]));
        [k[0], plus, minus, k[2]]
    };
    let mut t = [[[0f32; 16]; 3]; 4];
    for x in 0..3 {
        let column = g([taps[x].0, taps[3 + x].0, taps[6 + x].0]);
        for r in 0..4 {
            t[r][x] = column[r];
        }
    }
    let mut u = [Line([0.0; 16]); F];
    for r in 0..4 {
        let row = g(t[r]);
        for c in 0..4 {
            u[r * 4 + c] = Line(row[c]);
        }
    }
    u
}
