//! Pillow's image resampling, bit for bit: two passes of 22-bit fixed-point filters with bytes in between.

use crate::io::image::Rgb8;

/// The filters that ADM's preparation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Box,
    /// Cubic convolution with a = -0.5, widened when shrinking.
    Bicubic,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Filter::Box => 0.5,
            Filter::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let t = x.abs();
        match self {
            Filter::Box if x > -0.5 && x <= 0.5 => 1.0,
            Filter::Bicubic if t < 1.0 => ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0,
            Filter::Bicubic if t < 2.0 => (((t - 5.0) * t + 8.0) * t - 4.0) * A,
            _ => 0.0,
        }
    }
}

const BITS: u32 = 22;

/// The inputs of one output sample and their weights.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// The image at `w` by `h`; an axis that keeps its length is left alone.
pub fn resize(image: &Rgb8, w: usize, h: usize, filter: Filter) -> Rgb8 {
    let wide = match w == image.w {
        true => image.data.clone(),
        false => across(&image.data, image.w, &taps(image.w, w, filter)),
    };
    let data = match h == image.h {
        true => wide,
        false => down(&wide, w, &taps(image.h, h, filter)),
    };
    Rgb8 { w, h, data }
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let inverse = 1.0 / stretch;
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5).max(0.0) as usize).min(from);
            let weights: Vec<f64> = (first..last)
                .map(|x| filter.weight((x as f64 - centre + 0.5) * inverse))
                .collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |w: &f64| {
                let w = if sum != 0.0 { w / sum } else { *w };
                (w * (1u32 << BITS) as f64).round() as i32
            };
            Taps {
                first,
                weights: weights.iter().map(fixed).collect(),
            }
        })
        .collect()
}

fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (BITS - 1);

fn across(data: &[u8], from: usize, taps: &[Taps]) -> Vec<u8> {
    let rows = data.len() / (3 * from);
    let mut out = Vec::with_capacity(rows * taps.len() * 3);
    for row in data.chunks_exact(3 * from) {
        for tap in taps {
            let mut sums = [HALF; 3];
            let pixels = row[3 * tap.first..].as_chunks::<3>().0;
            for (pixel, weight) in pixels.iter().zip(&tap.weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += value as i32 * weight;
                }
            }
            out.extend(sums.map(byte));
        }
    }
    out
}

fn down(data: &[u8], w: usize, taps: &[Taps]) -> Vec<u8> {
    let length = 3 * w;
    let mut out = Vec::with_capacity(length * taps.len());
    let mut sums = vec![0i32; length];
    for tap in taps {
        sums.fill(HALF);
        let rows = data[tap.first * length..].chunks_exact(length);
        for (row, weight) in rows.zip(&tap.weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += value as i32 * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| byte(sum)));
    }
    out
}
