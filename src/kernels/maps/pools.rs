//! Pools of 3 x 3 pixels from blocked maps to blocked maps.

use super::blocked::{Blocked, Slot};
use crate::kernels::simd::lanes::Lanes;
use crate::machine::flush::Flush;
use crate::machine::isa::per_isa;
use rayon::prelude::*;

/// What a pool makes of the pixels in its window that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    Max,
    Mean,
}

/// Windows of 3 x 3, `stride` apart, reaching `pad` pixels over the edges; what is not there does not count.
pub fn pool3(x: &Blocked, kind: Pool, stride: usize, pad: usize, out: &Slot) {
    let blocks = x.blocks();
    (0..x.n * blocks).into_par_iter().for_each(|task| {
        let _flush = Flush::start();
        let (image, block) = (task / blocks, task % blocks);
        let job = Job {
            x: x.block(image, block),
            w: x.w,
            // SAFETY: the block belongs to this task alone.
            y: unsafe { std::slice::from_raw_parts_mut(out.at(image, block, 0), out.plane) },
            out_w: out.w,
            stride,
            pad,
        };
        match kind {
            Pool::Max => maxima(x.isa, job),
            Pool::Mean => means(x.isa, job),
        }
    });
}

/// One channel block of one image.
struct Job<'a> {
    x: &'a [f32],
    w: usize,
    y: &'a mut [f32],
    out_w: usize,
    stride: usize,
    pad: usize,
}

per_isa! { fn maxima(job: Job) = maxima_body }
per_isa! { fn means(job: Job) = means_body }

/// The first and one past the last pixel of window `i` along a side of `size`.
#[inline(always)]
fn window(i: usize, job: &Job, size: usize) -> (usize, usize) {
    let start = i * job.stride;
    (start.saturating_sub(job.pad), size.min(start + 3 - job.pad))
}

#[inline(always)]
unsafe fn maxima_body<V: Lanes>(job: Job) {
    // SAFETY: the larger of two floats reads nothing.
    unsafe { windows::<V>(job, |a, b| b.max(a), |sum, _| sum) }
}

#[inline(always)]
unsafe fn means_body<V: Lanes>(job: Job) {
    // SAFETY: sums and quotients read nothing.
    unsafe { windows::<V>(job, |a, b| a.add(b), |sum, n| sum.div(V::splat(n as f32))) }
}

#[inline(always)]
unsafe fn windows<V: Lanes>(
    mut job: Job,
    join: impl Fn(V, V) -> V,
    finish: impl Fn(V, usize) -> V,
) {
    let h = job.x.len() / (job.w * 16);
    let y = std::mem::take(&mut job.y);
    for (r, row) in y.chunks_exact_mut(job.out_w * 16).enumerate() {
        let (top, bottom) = window(r, &job, h);
        for (c, out) in row.chunks_exact_mut(16).enumerate() {
            let (left, right) = window(c, &job, job.w);
            // SAFETY: the window was cut to the image, and no window is empty.
            unsafe {
                let at = |y: usize, x: usize| V::load(job.x.as_ptr().add((y * job.w + x) * 16));
                let across = |y: usize| {
                    let mut all = at(y, left);
                    for x in left + 1..right {
                        all = join(all, at(y, x));
                    }
                    all
                };
                let mut all = across(top);
                for y in top + 1..bottom {
                    all = join(all, across(y));
                }
                let n = (bottom - top) * (right - left);
                finish(all, n).store(out.as_mut_ptr());
            }
        }
    }
}
