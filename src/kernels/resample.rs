//! Twice as large by repetition, and half as large by means, with gradients that add up where a tensor is used twice.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::channels_last;
use crate::kernels::gradients::cast::{half, widened};
use crate::kernels::gradients::record::apply1;
use crate::kernels::view::{View, ours, slice, tensor};
use crate::machine::flush::Flush;
use crate::machine::profile::{Operation, span};
use crate::machine::scratch::unfilled;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// `x [n, c, h, w]` → `[n, c, 2h, 2w]`, each pixel four times (candle's `upsample_nearest2d` overwrites gradients).
pub fn upsample2(x: &Tensor) -> Result<Tensor> {
    let _span = span(Operation::ResampleForward);
    if ours(&[x]) {
        return apply1(&x.contiguous()?, Upsample2);
    }
    #[cfg(feature = "cuda")]
    if channels_last::lies(x) {
        return channels_last::planes::upsample2(x);
    }
    #[cfg(feature = "cuda")]
    if crate::kernels::cuda::takes(&[x]) {
        return crate::kernels::cuda::planes::upsample2(x);
    }
    if half(x) {
        // For the gradients' sums: what is repeated is exact in either type.
        return widened([x], |[x]| upsample2(x));
    }
    let (n, c, h, w) = x.dims4()?;
    x.reshape((n, c, h, 1, w, 1))?
        .broadcast_as((n, c, h, 2, w, 2))?
        .reshape((n, c, 2 * h, 2 * w))
}

/// `x [n, c, h, w]` → `[n, c, h / 2, w / 2]`, means of 2 x 2 pixels; a last odd row or column is left out.
pub fn avg_pool2(x: &Tensor) -> Result<Tensor> {
    let _span = span(Operation::ResampleForward);
    #[cfg(feature = "cuda")]
    if channels_last::lies(x) {
        return channels_last::planes::avg_pool2(x);
    }
    #[cfg(feature = "cuda")]
    if crate::kernels::cuda::takes(&[x]) {
        return crate::kernels::cuda::planes::avg_pool2(x);
    }
    if ours(&[x]) {
        apply1(&x.contiguous()?, AvgPool2)
    } else if half(x) {
        widened([x], |[x]| avg_pool2(x))
    } else {
        x.avg_pool2d(2)
    }
}

struct Upsample2;
struct AvgPool2;

/// Sums of 2 x 2 pixels of a plane of rows `w` long, times `factor`.
fn gather(large: &[f32], w: usize, factor: f32, small: &mut [f32]) {
    for (rows, out) in large.chunks_exact(2 * w).zip(small.chunks_exact_mut(w / 2)) {
        let (upper, lower) = rows.split_at(w);
        let pairs = upper
            .as_chunks::<2>()
            .0
            .iter()
            .zip(lower.as_chunks::<2>().0);
        for (out, (a, b)) in out.iter_mut().zip(pairs) {
            *out = ((a[0] + a[1]) + (b[0] + b[1])) * factor;
        }
    }
}

/// Each pixel of `small` times `factor` to 2 x 2 pixels of a plane of rows `w` long; zeros where there is none.
fn spread(small: &[f32], w: usize, factor: f32, large: &mut [f32]) {
    let pairs = large.len() / (2 * w);
    for (rows, values) in large.chunks_exact_mut(2 * w).zip(small.chunks_exact(w / 2)) {
        let (upper, lower) = rows.split_at_mut(w);
        let (twos, rest) = upper.as_chunks_mut::<2>();
        for (two, value) in twos.iter_mut().zip(values) {
            *two = [value * factor; 2];
        }
        rest.fill(0.0);
        lower.copy_from_slice(upper);
    }
    large[pairs * 2 * w..].fill(0.0);
}

/// Planes `h x w` to planes half as large.
fn shrink(x: &[f32], (h, w): (usize, usize), factor: f32) -> Vec<f32> {
    let (large, small) = (h * w, (h / 2) * (w / 2));
    let mut y = unfilled(x.len() / large * small);
    y.par_chunks_mut(small)
        .zip(x.par_chunks(large))
        .for_each(|(y, x)| {
            let _flush = Flush::start();
            gather(x, w, factor, y);
        });
    y
}

/// Planes half as large to planes `h x w`.
fn grow(x: &[f32], (h, w): (usize, usize), factor: f32) -> Vec<f32> {
    let (large, small) = (h * w, (h / 2) * (w / 2));
    let mut y = unfilled(x.len() / small * large);
    y.par_chunks_mut(large)
        .zip(x.par_chunks(small))
        .for_each(|(y, x)| {
            let _flush = Flush::start();
            spread(x, w, factor, y);
        });
    y
}

impl CustomOp1 for Upsample2 {
    fn name(&self) -> &'static str {
        "upsample2"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        let y = grow(slice(s, l)?, (2 * h, 2 * w), 1.0);
        Ok((CpuStorage::F32(y), (n, c, 2 * h, 2 * w).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::ResampleBackward);
        let (_, _, h, w) = dy.dims4()?;
        let dx = shrink(&View::of(&dy.contiguous()?)?, (h, w), 1.0);
        Ok(Some(tensor(dx, x.shape())?))
    }
}

impl CustomOp1 for AvgPool2 {
    fn name(&self) -> &'static str {
        "avg_pool2"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = l.shape().dims4()?;
        if h < 2 || w < 2 {
            candle_core::bail!("avg_pool2: {h} x {w} pixels have no 2 x 2");
        }
        let y = shrink(slice(s, l)?, (h, w), 0.25);
        Ok((CpuStorage::F32(y), (n, c, h / 2, w / 2).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::ResampleBackward);
        let (_, _, h, w) = x.dims4()?;
        let dx = grow(&View::of(&dy.contiguous()?)?, (h, w), 0.25);
        Ok(Some(tensor(dx, x.shape())?))
    }
}
