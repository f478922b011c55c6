//! Group normalisation of one group of one image: the loops, compiled for each instruction set.

use crate::kernels::simd::exp::sigmoid;
use crate::kernels::simd::lanes::Lanes;
use crate::machine::isa::per_isa;

const EPS: f64 = 1e-5;

/// What follows the affine map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    None,
    /// x · sigmoid(x)
    Silu,
}

/// Mean and 1 / sqrt(variance + eps) of a group.
#[derive(Clone, Copy, Default)]
pub struct Stats {
    pub mean: f32,
    pub rstd: f32,
}

/// A group's channels, `plane` floats each, with a gain and an offset a channel.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    pub x: &'a [f32],
    pub plane: usize,
    pub gain: &'a [f32],
    pub offset: &'a [f32],
    pub activation: Activation,
}

/// Where the gradients of a group go.
pub struct Grads<'a> {
    pub x: &'a mut [f32],
    pub gain: &'a mut [f32],
    pub offset: &'a mut [f32],
}

per_isa! {
    /// `y = (x - mean) * rstd * gain + offset`, then the activation; returns what `backward` needs.
    pub fn forward(group: &Group, y: &mut [f32]) -> Stats = forward_body
}
per_isa! {
    /// Gradients from `dy`.
    pub fn backward(group: &Group, stats: Stats, dy: &[f32], grads: &mut Grads) = backward_body
}

/// Calls `$body` with each full sixteen of `$n` floats as `$at..$at + 16`, then `$rest` with the start of the rest.
macro_rules! by_sixteen {
    ($n:expr, |$at:ident| $body:block, |$from:ident, $left:ident| $rest:block) => {
        let full = $n / 16 * 16;
        let mut $at = 0;
        while $at < full {
            $body
            $at += 16;
        }
        if full < $n {
            let ($from, $left) = (full, $n - full);
            $rest
        }
    };
}

/// Sums of `x - shift` and, when `SQUARE`, of its square instead; in a fixed order.
#[inline(always)]
unsafe fn sum<V: Lanes, const SQUARE: bool>(row: &[f32], shift: f32) -> f64 {
    let x = row.as_ptr();
    // SAFETY: offsets stay within the row, and the caller vouches for the instructions.
    unsafe {
        let s = V::splat(shift);
        let mut lanes = [V::splat(0.0); 4];
        let fours = row.len() / 64 * 64;
        let mut at = 0;
        while at < fours {
            lanes[0] = term::<V, SQUARE>(lanes[0], s, V::load(x.add(at)));
            lanes[1] = term::<V, SQUARE>(lanes[1], s, V::load(x.add(at + 16)));
            lanes[2] = term::<V, SQUARE>(lanes[2], s, V::load(x.add(at + 32)));
            lanes[3] = term::<V, SQUARE>(lanes[3], s, V::load(x.add(at + 48)));
            at += 64;
        }
        let (x, mut last) = (x.add(fours), lanes[0]);
        by_sixteen!(
            row.len() - fours,
            |at| { last = term::<V, SQUARE>(last, s, V::load(x.add(at))) },
            |at, n| { last = term::<V, SQUARE>(last, s, V::load_part(x.add(at), n, shift)) }
        );
        last.add(lanes[1]).add(lanes[2].add(lanes[3])).sum()
    }
}

#[inline(always)]
unsafe fn term<V: Lanes, const SQUARE: bool>(sum: V, shift: V, x: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let d = x.sub(shift);
        if SQUARE { d.fma(d, sum) } else { sum.add(d) }
    }
}

#[inline(always)]
unsafe fn forward_body<V: Lanes>(group: &Group, y: &mut [f32]) -> Stats {
    // SAFETY: rows of `x` and `y` are equally long, and the caller vouches for the instructions.
    unsafe {
        let (n, mut total) = (group.x.len() as f64, 0f64);
        for row in group.x.chunks(group.plane) {
            total += sum::<V, false>(row, 0.0);
        }
        let mean = (total / n) as f32;
        let mut squares = 0f64;
        for row in group.x.chunks(group.plane) {
            squares += sum::<V, true>(row, mean);
        }
        let rstd = (1.0 / (squares / n + EPS).sqrt()) as f32;
        let rows = group.x.chunks(group.plane).zip(y.chunks_mut(group.plane));
        for (c, (x, y)) in rows.enumerate() {
            let line = (mean, rstd * group.gain[c], group.offset[c]);
            match group.activation {
                Activation::Silu => affine::<V, true>(x, y, line),
                Activation::None => affine::<V, false>(x, y, line),
            }
        }
        Stats { mean, rstd }
    }
}

/// `y = (x - mean) * a + b`, then SiLU.
#[inline(always)]
unsafe fn affine<V: Lanes, const SILU: bool>(
    x: &[f32],
    y: &mut [f32],
    (mean, a, b): (f32, f32, f32),
) {
    let (x, n, y) = (x.as_ptr(), x.len(), y.as_mut_ptr());
    // SAFETY: offsets stay within the rows, and the caller vouches for the instructions.
    unsafe {
        let (mean, a, b) = (V::splat(mean), V::splat(a), V::splat(b));
        by_sixteen!(
            n,
            |at| { activate::<V, SILU>(V::load(x.add(at)).sub(mean).fma(a, b)).store(y.add(at)) },
            |at, n| {
                let z = V::load_part(x.add(at), n, 0.0).sub(mean).fma(a, b);
                activate::<V, SILU>(z).store_part(y.add(at), n)
            }
        );
    }
}

#[inline(always)]
unsafe fn activate<V: Lanes, const SILU: bool>(z: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe { if SILU { z.mul(sigmoid(z)) } else { z } }
}

/// dz of dy, at d = x - mean.
#[inline(always)]
unsafe fn grad<V: Lanes, const SILU: bool>(d: V, dy: V, a: V, b: V) -> V {
    if !SILU {
        return dy;
    }
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let (z, one) = (d.fma(a, b), V::splat(1.0));
        let s = sigmoid(z);
        dy.mul(s).mul(z.fma(one.sub(s), one))
    }
}

/// dz of one channel into `dz`, and its sums: of dz, and of dz * (x - mean).
#[inline(always)]
unsafe fn channel<V: Lanes, const SILU: bool>(
    x: &[f32],
    dy: &[f32],
    dz: &mut [f32],
    (mean, a, b): (f32, f32, f32),
) -> (f64, f64) {
    let (n, shift) = (x.len(), mean);
    let (x, dy, dz) = (x.as_ptr(), dy.as_ptr(), dz.as_mut_ptr());
    // SAFETY: offsets stay within the rows, and the caller vouches for the instructions.
    unsafe {
        let (mean, a, b) = (V::splat(mean), V::splat(a), V::splat(b));
        let (mut first, mut second) = (V::splat(0.0), V::splat(0.0));
        by_sixteen!(
            n,
            |at| {
                let d = V::load(x.add(at)).sub(mean);
                let g = grad::<V, SILU>(d, V::load(dy.add(at)), a, b);
                g.store(dz.add(at));
                first = first.add(g);
                second = g.fma(d, second);
            },
            |at, n| {
                // Lanes past the end have dy = 0, so they add nothing.
                let d = V::load_part(x.add(at), n, shift).sub(mean);
                let g = grad::<V, SILU>(d, V::load_part(dy.add(at), n, 0.0), a, b);
                g.store_part(dz.add(at), n);
                first = first.add(g);
                second = g.fma(d, second);
            }
        );
        (first.sum(), second.sum())
    }
}

#[inline(always)]
unsafe fn backward_body<V: Lanes>(group: &Group, stats: Stats, dy: &[f32], grads: &mut Grads) {
    let Stats { mean, rstd } = stats;
    let (n, plane) = (group.x.len() as f64, group.plane);
    let (mut first, mut second) = (0f64, 0f64);
    // SAFETY: rows of all four are equally long, and the caller vouches for the instructions.
    unsafe {
        let rows = group.x.chunks(plane).zip(dy.chunks(plane));
        for (c, ((x, dy), dz)) in rows.zip(grads.x.chunks_mut(plane)).enumerate() {
            let line = (mean, rstd * group.gain[c], group.offset[c]);
            let (d, dx) = match group.activation {
                Activation::Silu => channel::<V, true>(x, dy, dz, line),
                Activation::None => channel::<V, false>(x, dy, dz, line),
            };
            grads.offset[c] = d as f32;
            grads.gain[c] = (dx * f64::from(rstd)) as f32;
            first += d * f64::from(group.gain[c]);
            second += dx * f64::from(group.gain[c]);
        }
        // The mean and the variance depend on every pixel of the group too.
        let r = f64::from(rstd);
        let level = (r * first / n) as f32;
        let slope = (r * r * r * second / n) as f32;
        for (c, (x, dx)) in group
            .x
            .chunks(plane)
            .zip(grads.x.chunks_mut(plane))
            .enumerate()
        {
            let a = rstd * group.gain[c];
            // dx = a dz - slope (x - mean) - level
            spread_back::<V>(x, dx, (a, -slope, slope * mean - level));
        }
    }
}

/// `dx = a * dx + b * x + c`
#[inline(always)]
unsafe fn spread_back<V: Lanes>(x: &[f32], dx: &mut [f32], (a, b, c): (f32, f32, f32)) {
    let (x, n, dx) = (x.as_ptr(), x.len(), dx.as_mut_ptr());
    // SAFETY: offsets stay within the rows, and the caller vouches for the instructions.
    unsafe {
        let (a, b, c) = (V::splat(a), V::splat(b), V::splat(c));
        by_sixteen!(
            n,
            |at| {
                let rest = V::load(x.add(at)).fma(b, c);
                V::load(dx.add(at)).fma(a, rest).store(dx.add(at))
            },
            |at, n| {
                let rest = V::load_part(x.add(at), n, 0.0).fma(b, c);
                let d = V::load_part(dx.add(at), n, 0.0).fma(a, rest);
                d.store_part(dx.add(at), n)
            }
        );
    }
}
