//! Group normalisation of one group of one image: the loops, compiled for each instruction set.

use crate::kernels::exp::{fma, sigmoid};
use crate::kernels::isa::per_isa;

const EPS: f64 = 1e-5;
/// Sums are taken in this many lanes, then in f64: the same order on every thread.
const LANES: usize = 32;

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
    pub silu: bool,
}

/// Where the gradients of a group go.
pub struct Grads<'a> {
    pub x: &'a mut [f32],
    pub gain: &'a mut [f32],
    pub offset: &'a mut [f32],
}

per_isa! {
    /// `y = (x - mean) * rstd * gain + offset`, then SiLU; returns what `backward` needs.
    pub fn forward(group: &Group, y: &mut [f32]) -> Stats = forward_body
}
per_isa! {
    /// Gradients from `dy`.
    pub fn backward(group: &Group, stats: Stats, dy: &[f32], grads: &mut Grads) = backward_body
}

/// The sum of `f` over a row, in a fixed order.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let mut lanes = [0f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += f(chunk[i]);
        }
    }
    let rest: f64 = rest.iter().map(|v| f64::from(f(*v))).sum();
    lanes.iter().map(|v| f64::from(*v)).sum::<f64>() + rest
}

#[inline(always)]
fn forward_body<const FMA: bool>(group: &Group, y: &mut [f32]) -> Stats {
    let n = group.x.len() as f64;
    let mean = (group
        .x
        .chunks(group.plane)
        .map(|row| sum(row, |v| v))
        .sum::<f64>()
        / n) as f32;
    let square = |v: f32| (v - mean) * (v - mean);
    let variance = group
        .x
        .chunks(group.plane)
        .map(|row| sum(row, square))
        .sum::<f64>()
        / n;
    let rstd = (1.0 / (variance + EPS).sqrt()) as f32;
    let rows = group.x.chunks(group.plane).zip(y.chunks_mut(group.plane));
    for (c, (x, y)) in rows.enumerate() {
        let (a, b) = (rstd * group.gain[c], group.offset[c]);
        if group.silu {
            for (y, x) in y.iter_mut().zip(x) {
                let z = fma::<FMA>(*x - mean, a, b);
                *y = z * sigmoid::<FMA>(z);
            }
        } else {
            for (y, x) in y.iter_mut().zip(x) {
                *y = fma::<FMA>(*x - mean, a, b);
            }
        }
    }
    Stats { mean, rstd }
}

/// dz of one channel into `dz`, and its sums: of dz, and of dz * (x - mean).
#[inline(always)]
fn channel<const FMA: bool, const SILU: bool>(
    x: &[f32],
    dy: &[f32],
    dz: &mut [f32],
    (mean, a, b): (f32, f32, f32),
) -> (f64, f64) {
    let grad = |x: f32, dy: f32| {
        if !SILU {
            return dy;
        }
        let z = fma::<FMA>(x - mean, a, b);
        let s = sigmoid::<FMA>(z);
        dy * s * fma::<FMA>(z, 1.0 - s, 1.0)
    };
    let (mut first, mut second) = ([0f32; 16], [0f32; 16]);
    let (xs, x_rest) = x.as_chunks::<16>();
    let (dys, dy_rest) = dy.as_chunks::<16>();
    let (dzs, dz_rest) = dz.as_chunks_mut::<16>();
    for ((x, dy), dz) in xs.iter().zip(dys).zip(dzs) {
        for i in 0..16 {
            let d = grad(x[i], dy[i]);
            dz[i] = d;
            first[i] += d;
            second[i] = fma::<FMA>(d, x[i] - mean, second[i]);
        }
    }
    let total = |lanes: [f32; 16]| lanes.iter().map(|v| f64::from(*v)).sum::<f64>();
    let mut sums = (total(first), total(second));
    for ((x, dy), dz) in x_rest.iter().zip(dy_rest).zip(dz_rest) {
        *dz = grad(*x, *dy);
        sums.0 += f64::from(*dz);
        sums.1 += f64::from(*dz * (x - mean));
    }
    sums
}

#[inline(always)]
fn backward_body<const FMA: bool>(group: &Group, stats: Stats, dy: &[f32], grads: &mut Grads) {
    let Stats { mean, rstd } = stats;
    let n = group.x.len() as f64;
    let (mut first, mut second) = (0f64, 0f64);
    let rows = group.x.chunks(group.plane).zip(dy.chunks(group.plane));
    for (c, ((x, dy), dz)) in rows.zip(grads.x.chunks_mut(group.plane)).enumerate() {
        let line = (mean, rstd * group.gain[c], group.offset[c]);
        let (d, dx) = match group.silu {
            true => channel::<FMA, true>(x, dy, dz, line),
            false => channel::<FMA, false>(x, dy, dz, line),
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
    let rows = group
        .x
        .chunks(group.plane)
        .zip(grads.x.chunks_mut(group.plane));
    for (c, (x, dx)) in rows.enumerate() {
        let a = rstd * group.gain[c];
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = fma::<FMA>(*dx, a, -fma::<FMA>(*x - mean, slope, level));
        }
    }
}
