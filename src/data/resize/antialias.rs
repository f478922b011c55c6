//! Pillow's image resampling, bit for bit: bytes by two passes of 22-bit fixed-point filters with bytes in between, and
//! floats (its mode `F`) by f64 filters with f32 in between.

use crate::io::image::file::Rgb8;

/// The filters that preparations of pictures use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Box,
    /// Cubic convolution with a = -0.5, widened when shrinking.
    Bicubic,
    /// The sinc windowed by its own third, widened when shrinking.
    Lanczos,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Filter::Box => 0.5,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let t = x.abs();
        match self {
            Filter::Box if x > -0.5 && x <= 0.5 => 1.0,
            Filter::Bicubic if t < 1.0 => ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0,
            Filter::Bicubic if t < 2.0 => (((t - 5.0) * t + 8.0) * t - 4.0) * A,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI)
    }
}

const BITS: u32 = 22;

/// The inputs of one output sample and their weights.
struct Taps<W> {
    first: usize,
    weights: Vec<W>,
}

/// The image at `w` by `h`; an axis that keeps its length is left alone.
pub fn resize(image: &Rgb8, w: usize, h: usize, filter: Filter) -> Rgb8 {
    let wide = if w == image.w {
        image.data.clone()
    } else {
        across(&image.data, image.w, &taps(image.w, w, filter))
    };
    let data = if h == image.h {
        wide
    } else {
        down(&wide, w, &taps(image.h, h, filter))
    };
    Rgb8 { w, h, data }
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps<i32>> {
    let fixed = |w: f64| (w * (1u32 << BITS) as f64).round() as i32;
    float_taps(from, to, filter)
        .into_iter()
        .map(|tap| Taps {
            first: tap.first,
            weights: tap.weights.into_iter().map(fixed).collect(),
        })
        .collect()
}

fn float_taps(from: usize, to: usize, filter: Filter) -> Vec<Taps<f64>> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let inverse = 1.0 / stretch;
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5).max(0.0) as usize).min(from);
            let mut weights: Vec<f64> = (first..last)
                .map(|x| filter.weight((x as f64 - centre + 0.5) * inverse))
                .collect();
            let sum: f64 = weights.iter().sum();
            if sum != 0.0 {
                weights.iter_mut().for_each(|w| *w /= sum);
            }
            Taps { first, weights }
        })
        .collect()
}

fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (BITS - 1);

fn across(data: &[u8], from: usize, taps: &[Taps<i32>]) -> Vec<u8> {
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

fn down(data: &[u8], w: usize, taps: &[Taps<i32>]) -> Vec<u8> {
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

/// The image at `side` by `side` as planes [3, side, side] of about 0..255 (bicubic overshoots), each channel resized
/// as a picture of mode `F`; an axis that keeps its length is left alone.
#[inline(always)]
pub(crate) fn float_planes(image: &Rgb8, side: usize, filter: Filter, out: &mut [f32]) {
    let wide = float_across(image, side, filter);
    float_down(&wide, side, image.h, filter, out);
}

/// Rows [h, 3, side] of the image at width `side`.
#[inline(always)]
fn float_across(image: &Rgb8, side: usize, filter: Filter) -> Vec<f32> {
    let mut wide = vec![0f32; image.h * 3 * side];
    let rows = image.data.chunks_exact(3 * image.w);
    let lines = wide.chunks_exact_mut(3 * side).zip(rows);
    if side == image.w {
        for (line, row) in lines {
            for (x, pixel) in row.as_chunks::<3>().0.iter().enumerate() {
                for c in 0..3 {
                    line[c * side + x] = pixel[c] as f32;
                }
            }
        }
        return wide;
    }
    let taps = float_taps(image.w, side, filter);
    // A fourth number, always 0, makes a pixel one vector.
    let mut pixels = vec![[0f64; 4]; image.w];
    for (line, row) in lines {
        for (to, from) in pixels.iter_mut().zip(row.as_chunks::<3>().0) {
            *to = [from[0] as f64, from[1] as f64, from[2] as f64, 0.0];
        }
        let (red, rest) = line.split_at_mut(side);
        let (green, blue) = rest.split_at_mut(side);
        let places = red.iter_mut().zip(green).zip(blue);
        for (tap, ((red, green), blue)) in taps.iter().zip(places) {
            let mut sums = [0f64; 4];
            for (pixel, weight) in pixels[tap.first..].iter().zip(&tap.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += value * weight;
                }
            }
            (*red, *green, *blue) = (sums[0] as f32, sums[1] as f32, sums[2] as f32);
        }
    }
    wide
}

/// Rows [h, 3, side] → planes [3, side, side].
#[inline(always)]
fn float_down(wide: &[f32], side: usize, h: usize, filter: Filter, out: &mut [f32]) {
    let length = 3 * side;
    let taps = if h == side {
        Vec::new()
    } else {
        float_taps(h, side, filter)
    };
    let mut sums = vec![0f64; length];
    for y in 0..side {
        sums.fill(0.0);
        if let Some(tap) = taps.get(y) {
            let rows = wide[tap.first * length..].chunks_exact(length);
            for (row, weight) in rows.zip(&tap.weights) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += value as f64 * weight;
                }
            }
        } else {
            let row = &wide[y * length..(y + 1) * length];
            sums.iter_mut().zip(row).for_each(|(s, &v)| *s = v as f64);
        }
        for (c, sums) in sums.chunks_exact(side).enumerate() {
            let place = (c * side + y) * side;
            let line = &mut out[place..place + side];
            line.iter_mut().zip(sums).for_each(|(o, &s)| *o = s as f32);
        }
    }
}
