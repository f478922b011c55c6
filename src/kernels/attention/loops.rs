//! Attention of one head, 32 queries at a time: scores stand as `[key][32]`, so softmax never crosses lanes.

use crate::kernels::simd::exp::exp;
use crate::kernels::simd::lanes::Lanes;
use crate::kernels::simd::tile::{COLS, Finish, Kernel, Run, Tile, Write, kernel, tiles};
use crate::kernels::simd::transpose::transpose_all;
use crate::machine::isa::{Isa, per_isa};

/// Channels and positions of a head.
#[derive(Clone, Copy)]
pub struct Head {
    pub isa: Isa,
    pub d: usize,
    pub l: usize,
}

/// One head's q, k and v, each `[d, l]`.
#[derive(Clone, Copy)]
pub struct Qkv<'a> {
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
}

/// `out [rows][32 or fewer columns] (+)= sum over k < n of x[k * x_step + row * XU] * w[k]`
struct Product {
    x: *const f32,
    x_step: usize,
    n: usize,
    w: *const f32,
    w_step: usize,
    full: bool,
    out: *mut f32,
    out_step: usize,
    write: Write,
}

per_isa! {
    /// Scores `[l][32]` to e^(score - maximum); returns 1 / their sums.
    fn exponentials(s: &mut [[f32; COLS]]) -> [f32; COLS] = exponentials_body
}
per_isa! {
    /// From probabilities and their gradients (in `dp`) to the gradients of the scores (in `dp`).
    fn score_grads(p: &mut [[f32; COLS]], scale: &[f32; COLS], dp: &mut [[f32; COLS]]) = score_grads_body
}

#[inline(always)]
unsafe fn exponentials_body<V: Lanes>(s: &mut [[f32; COLS]]) -> [f32; COLS] {
    let mut over = [0f32; COLS];
    for half in [0, 16] {
        // SAFETY: rows have two halves of sixteen, and the caller vouches for the instructions.
        unsafe {
            let mut most = V::splat(f32::NEG_INFINITY);
            for row in s.iter() {
                most = most.max(V::load(row[half..].as_ptr()));
            }
            let mut sum = V::splat(0.0);
            for row in s.iter_mut() {
                let p = row[half..].as_mut_ptr();
                let e = exp(V::load(p).sub(most));
                e.store(p);
                sum = sum.add(e);
            }
            V::splat(1.0).div(sum).store(over[half..].as_mut_ptr());
        }
    }
    over
}

#[inline(always)]
unsafe fn score_grads_body<V: Lanes>(
    p: &mut [[f32; COLS]],
    scale: &[f32; COLS],
    dp: &mut [[f32; COLS]],
) {
    for half in [0, 16] {
        // SAFETY: rows have two halves of sixteen, and the caller vouches for the instructions.
        unsafe {
            let (scale, mut mean) = (V::load(scale[half..].as_ptr()), V::splat(0.0));
            for (p, dp) in p.iter_mut().zip(dp.iter()) {
                let p = p[half..].as_mut_ptr();
                let share = V::load(p).mul(scale);
                share.store(p);
                mean = share.fma(V::load(dp[half..].as_ptr()), mean);
            }
            for (p, dp) in p.iter().zip(dp.iter_mut()) {
                let dp = dp[half..].as_mut_ptr();
                let share = V::load(p[half..].as_ptr());
                share.mul(V::load(dp).sub(mean)).store(dp);
            }
        }
    }
}

impl Head {
    /// Channels as the micro-kernel's outputs: a multiple of 16.
    fn wide(&self) -> usize {
        self.d.next_multiple_of(16)
    }

    /// Floats of scratch for `forward`.
    pub fn forward_scratch(&self) -> usize {
        self.l * self.d + 2 * self.d * COLS + self.l * COLS
    }

    /// Floats of scratch for `backward`.
    pub fn backward_scratch(&self) -> usize {
        self.l * self.d
            + 2 * self.l * self.wide()
            + 3 * self.d * COLS
            + 2 * COLS * self.wide()
            + 2 * self.l * COLS
    }

    /// # Safety
    /// The product's pointers are valid for its sizes.
    unsafe fn multiply<const XU: usize>(&self, rows: usize, p: Product) {
        let kernel: Kernel = kernel::<XU>(self.isa);
        tiles(self.isa, rows, |r, rows| {
            // SAFETY: the caller vouches for the whole product.
            unsafe {
                let tile = Tile {
                    rows,
                    full: p.full,
                    x: p.x.add(r * XU),
                    x_step: p.x_step,
                    w: p.w,
                    w_step: p.w_step,
                    out: p.out.add(r * p.out_step),
                    out_step: p.out_step,
                    write: p.write,
                    finish: Finish::PLAIN,
                };
                kernel(&tile, &[Run { offset: 0, n: p.n }]);
            }
        });
    }

    /// `out [rows of turned][32] = sum over n of x [n, step] w [n][32]`
    unsafe fn panel(&self, x: *const f32, rows: usize, n: usize, w: *const f32, out: *mut f32) {
        // SAFETY: as for `multiply`.
        unsafe {
            let product = Product {
                x,
                x_step: rows,
                n,
                w,
                w_step: COLS,
                full: true,
                out,
                out_step: COLS,
                write: Write::Replace,
            };
            self.multiply::<1>(rows, product);
        }
    }

    /// `out [l][wide] += x [l][32] w [32][wide]`
    unsafe fn accumulate(&self, x: *const f32, w: *const f32, out: *mut f32, write: Write) {
        for c in (0..self.wide()).step_by(COLS) {
            // SAFETY: as for `multiply`; rows of `w` and `out` are `wide` long.
            unsafe {
                let product = Product {
                    x,
                    x_step: 1,
                    n: COLS,
                    w: w.add(c),
                    w_step: self.wide(),
                    full: self.wide() - c > 16,
                    out: out.add(c),
                    out_step: self.wide(),
                    write,
                };
                self.multiply::<COLS>(self.l, product);
            }
        }
    }

    /// Columns `first..first + 32` of `src [d, l]` times `scale`, as `[d][32]`, zeros past the last.
    unsafe fn columns(&self, src: &[f32], first: usize, scale: f32, dst: *mut f32) {
        let cols = (self.l - first).min(COLS);
        for (c, row) in src.chunks_exact(self.l).enumerate() {
            // SAFETY: `dst` has room for d rows.
            let dst = unsafe { std::slice::from_raw_parts_mut(dst.add(c * COLS), COLS) };
            for (dst, src) in dst.iter_mut().zip(&row[first..first + cols]) {
                *dst = src * scale;
            }
            dst[cols..].fill(0.0);
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.d as f32).sqrt()
    }

    /// Queries of panels `panels` attend to all keys; writes their columns of `out [d, l]`.
    ///
    /// # Safety
    /// `out` has room for the head, those columns belong to this task, `scratch` has `forward_scratch` floats.
    pub unsafe fn forward(
        &self,
        x: Qkv,
        panels: std::ops::Range<usize>,
        scratch: *mut f32,
        out: *mut f32,
    ) {
        let (d, l) = (self.d, self.l);
        // SAFETY: scratch is cut into parts of the sizes that `forward_scratch` adds up.
        unsafe {
            let values = scratch;
            let q = values.add(l * d);
            let y = q.add(d * COLS);
            let s = y.add(d * COLS);
            transpose_all(self.isa, (x.v.as_ptr(), l), (d, l), (values, d), false);
            for first in panels.map(|p| p * COLS) {
                self.columns(x.q, first, self.scale(), q);
                self.panel(x.k.as_ptr(), l, d, q, s);
                let rows = std::slice::from_raw_parts_mut(s as *mut [f32; COLS], l);
                let over = exponentials(self.isa, rows);
                self.panel(values, d, l, s, y);
                for c in 0..d {
                    let out = out.add(c * l + first);
                    for (i, over) in over.iter().enumerate().take(l - first) {
                        *out.add(i) = *y.add(c * COLS + i) * over;
                    }
                }
            }
        }
    }

    /// Gradients `dq`, `dk`, `dv`, each `[d, l]`, from `dy [d, l]`.
    ///
    /// # Safety
    /// `grads` have room for the head and belong to this task, `scratch` has `backward_scratch` floats.
    pub unsafe fn backward(&self, x: Qkv, dy: &[f32], scratch: *mut f32, grads: [*mut f32; 3]) {
        let (d, l, wide, isa) = (self.d, self.l, self.wide(), self.isa);
        // SAFETY: scratch is cut into parts of the sizes that `backward_scratch` adds up.
        unsafe {
            let keys = scratch;
            let (dk, dv) = (keys.add(l * d), keys.add(l * d + l * wide));
            let q = dv.add(l * wide);
            let (g, dq) = (q.add(d * COLS), q.add(2 * d * COLS));
            let (q_rows, g_rows) = (q.add(3 * d * COLS), q.add(3 * d * COLS + COLS * wide));
            let p = g_rows.add(COLS * wide);
            let dp = p.add(l * COLS);
            transpose_all(isa, (x.k.as_ptr(), l), (d, l), (keys, d), false);
            for first in (0..l).step_by(COLS) {
                self.columns(x.q, first, self.scale(), q);
                self.columns(dy, first, 1.0, g);
                self.panel(x.k.as_ptr(), l, d, q, p);
                self.panel(x.v.as_ptr(), l, d, g, dp);
                let probabilities = std::slice::from_raw_parts_mut(p as *mut [f32; COLS], l);
                let scores = std::slice::from_raw_parts_mut(dp as *mut [f32; COLS], l);
                let over = exponentials(isa, probabilities);
                score_grads(isa, probabilities, &over, scores);
                self.panel(keys, d, l, dp, dq);
                for c in 0..d {
                    for i in 0..COLS.min(l - first) {
                        *grads[0].add(c * l + first + i) = *dq.add(c * COLS + i) * self.scale();
                    }
                }
                transpose_all(isa, (g, COLS), (d, COLS), (g_rows, wide), true);
                transpose_all(isa, (q, COLS), (d, COLS), (q_rows, wide), true);
                let write = if first > 0 {
                    Write::Add
                } else {
                    Write::Replace
                };
                self.accumulate(p, g_rows, dv, write);
                self.accumulate(dp, q_rows, dk, write);
            }
            transpose_all(isa, (dk, wide), (l, d), (grads[1], l), false);
            transpose_all(isa, (dv, wide), (l, d), (grads[2], l), false);
        }
    }
}
