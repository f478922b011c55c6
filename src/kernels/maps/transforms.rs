//! The tile transforms of Winograd F(4x4, 3x3), sixteen channels at a time.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", but at the points 0, ±a, ±b and infinity with
//! a = 1/sqrt 2 and b = sqrt 2 instead of 0, ±1, ±2: their powers stay nearer to one, and so do the rounding errors.

use crate::kernels::simd::lanes::Lanes;
use crate::kernels::simd::tile::COLS;
use crate::machine::isa::per_isa;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Frequencies of a tile in one direction, and in both.
pub const SIDE: usize = 6;
pub const F: usize = SIDE * SIDE;
/// Output pixels of a tile in one direction.
pub const OUT: usize = 4;

const A: f32 = FRAC_1_SQRT_2 as f32;
const B: f32 = SQRT_2 as f32;

/// G g: three taps to six frequencies.
fn g(k: [f64; 3]) -> [f64; SIDE] {
    let (a, b) = (FRAC_1_SQRT_2, SQRT_2);
    let at = |p: f64, n: f64| (k[0] + p * k[1] + p * p * k[2]) / n;
    [
        k[0],
        at(a, -1.5),
        at(-a, -1.5),
        at(b, 6.0),
        at(-b, 6.0),
        k[2],
    ]
}

/// U = G g G^T of one kernel's nine taps, rounded once.
pub fn weights(taps: &[f32]) -> [f32; F] {
    let at = |y: usize, x: usize| f64::from(taps[y * 3 + x]);
    let columns = [0, 1, 2].map(|x| g([at(0, x), at(1, x), at(2, x)]));
    let mut u = [0f32; F];
    for (r, row) in u.chunks_exact_mut(SIDE).enumerate() {
        let values = g([columns[0][r], columns[1][r], columns[2][r]]);
        row.iter_mut().zip(values).for_each(|(u, v)| *u = v as f32);
    }
    u
}

/// B^T d
#[inline(always)]
unsafe fn bt<V: Lanes>(d: [V; SIDE]) -> [V; SIDE] {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let (two, half) = (V::splat(-2.0), V::splat(-0.5));
        let middle = V::splat(-2.5);
        let (even_a, odd_a) = (d[2].fma(two, d[4]), d[1].fma(two, d[3]));
        let (even_b, odd_b) = (d[2].fma(half, d[4]), d[1].fma(half, d[3]));
        let (a, b) = (V::splat(A), V::splat(B));
        let (minus_a, minus_b) = (V::splat(-A), V::splat(-B));
        [
            d[2].fma(middle, d[0].add(d[4])),
            odd_a.fma(a, even_a),
            odd_a.fma(minus_a, even_a),
            odd_b.fma(b, even_b),
            odd_b.fma(minus_b, even_b),
            d[3].fma(middle, d[1].add(d[5])),
        ]
    }
}

/// A^T m
#[inline(always)]
unsafe fn at<V: Lanes>(m: [V; SIDE]) -> [V; OUT] {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let (sum_a, gap_a) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (sum_b, gap_b) = (m[3].add(m[4]), m[3].sub(m[4]));
        let (a, b) = (V::splat(A), V::splat(B));
        [
            m[0].add(sum_a).add(sum_b),
            gap_b.fma(b, gap_a.mul(a)),
            sum_b.fma(V::splat(2.0), sum_a.mul(V::splat(0.5))),
            gap_b.fma(V::splat(2.0 * B), gap_a.fma(V::splat(0.5 * A), m[5])),
        ]
    }
}

/// Some rows of tiles of one channel block of one image.
pub struct Input<'a> {
    /// the block, `h` rows of `w` pixels
    pub x: &'a [f32],
    pub h: usize,
    pub w: usize,
    /// zeros above the first row, and left of the first column
    pub pad_y: usize,
    pub pad_x: usize,
    /// the first row of tiles, rows of tiles, and tiles in each
    pub top: usize,
    pub rows: usize,
    pub cols: usize,
    /// frequency 0 of the first tile, and floats from one frequency to the next; tiles are 16 apart
    pub v: *mut f32,
    pub step: usize,
}

per_isa! {
    /// V = B^T d B of every tile. `v` has room for all of them.
    pub fn input(job: &Input) = input_body
}

#[inline(always)]
unsafe fn input_body<V: Lanes>(job: &Input) {
    let mut edge = [0f32; F * 16];
    for ty in 0..job.rows {
        for tx in 0..job.cols {
            let y = ((job.top + ty) * OUT).wrapping_sub(job.pad_y);
            let x = (tx * OUT).wrapping_sub(job.pad_x);
            let inside = y < job.h && x < job.w && y + SIDE <= job.h && x + SIDE <= job.w;
            let (src, row) = if inside {
                (&job.x[(y * job.w + x) * 16..], job.w * 16)
            } else {
                gather(job, y, x, &mut edge);
                (&edge[..], SIDE * 16)
            };
            // SAFETY: six rows of six pixels are there, and the tile's places in `v`.
            unsafe {
                let src = src.as_ptr();
                let v = job.v.add((ty * job.cols + tx) * 16);
                tile_in::<V>(src, row, v, job.step);
            }
        }
    }
}

/// A tile that reaches over the image's edge, zeros outside.
#[inline(always)]
fn gather(job: &Input, y: usize, x: usize, edge: &mut [f32; F * 16]) {
    edge.fill(0.0);
    for r in 0..SIDE {
        let row = y.wrapping_add(r);
        for c in 0..SIDE {
            let column = x.wrapping_add(c);
            if row < job.h && column < job.w {
                let pixel = &job.x[(row * job.w + column) * 16..][..16];
                edge[(r * SIDE + c) * 16..][..16].copy_from_slice(pixel);
            }
        }
    }
}

#[inline(always)]
unsafe fn tile_in<V: Lanes>(x: *const f32, row: usize, v: *mut f32, step: usize) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let column = |c: usize| {
            let p = x.add(c * 16);
            bt([
                V::load(p),
                V::load(p.add(row)),
                V::load(p.add(2 * row)),
                V::load(p.add(3 * row)),
                V::load(p.add(4 * row)),
                V::load(p.add(5 * row)),
            ])
        };
        let t = [
            column(0),
            column(1),
            column(2),
            column(3),
            column(4),
            column(5),
        ];
        for r in 0..SIDE {
            let d = bt(t.map(|column| column[r]));
            for (c, value) in d.into_iter().enumerate() {
                value.store(v.add((r * SIDE + c) * step));
            }
        }
    }
}

/// Some rows of tiles of sixteen output channels of one image.
pub struct Output {
    /// frequency 0 of the first tile, and floats from one frequency to the next; tiles are 32 apart
    pub m: *const f32,
    pub step: usize,
    /// the image's plane, `h` rows of `w` pixels
    pub y: *mut f32,
    pub h: usize,
    pub w: usize,
    /// the first row of tiles, rows of tiles, and tiles in each
    pub top: usize,
    pub rows: usize,
    pub cols: usize,
    /// sixteen floats
    pub bias: *const f32,
    pub relu: bool,
}

per_isa! {
    /// Y = A^T m A of every tile, bias added and negative values cut off; what lies past the plane is left out.
    pub fn output(job: &Output) = output_body
}

#[inline(always)]
unsafe fn output_body<V: Lanes>(job: &Output) {
    // SAFETY: the maker of the job vouches for its pointers.
    unsafe {
        let bias = V::load(job.bias);
        // Zero or more, or anything at all.
        let floor = V::splat(if job.relu { 0.0 } else { f32::NEG_INFINITY });
        for ty in 0..job.rows {
            for tx in 0..job.cols {
                let m = job.m.add((ty * job.cols + tx) * COLS);
                let row = |r: usize| {
                    let p = m.add(r * SIDE * job.step);
                    at([
                        V::load(p),
                        V::load(p.add(job.step)),
                        V::load(p.add(2 * job.step)),
                        V::load(p.add(3 * job.step)),
                        V::load(p.add(4 * job.step)),
                        V::load(p.add(5 * job.step)),
                    ])
                };
                let t = [row(0), row(1), row(2), row(3), row(4), row(5)];
                let (top, left) = ((job.top + ty) * OUT, tx * OUT);
                let rows = OUT.min(job.h - top);
                let cols = OUT.min(job.w - left);
                let y = job.y.add((top * job.w + left) * 16);
                for c in 0..cols {
                    let d = at(t.map(|row| row[c]));
                    for (r, value) in d.into_iter().enumerate().take(rows) {
                        // The second operand is the answer where it is no number.
                        let value = floor.max(value.add(bias));
                        value.store(y.add((r * job.w + c) * 16));
                    }
                }
            }
        }
    }
}
