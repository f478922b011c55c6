//! Bilinear resizing without antialias by the two rules that evaluators use, in f32 as they do it.

use crate::io::image::Rgb8;

/// Which input pixels an output pixel lies between, and how the two are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// TensorFlow 1 (`ResizeBilinear`, align_corners and half_pixel_centers both false): i * scale; a + (b - a) d.
    Tf1,
    /// PyTorch (`interpolate`, align_corners=False): max((i + 0.5) * scale - 0.5, 0); a (1 - d) + b d.
    Torch,
}

/// For each output place the two input places and the share of the second.
struct Axis {
    low: Vec<u32>,
    high: Vec<u32>,
    share: Vec<f32>,
}

impl Axis {
    fn new(from: usize, to: usize, rule: Rule) -> Axis {
        let scale = from as f32 / to as f32;
        let last = from as u32 - 1;
        let (mut low, mut high, mut share) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..to {
            let source = match rule {
                Rule::Tf1 => i as f32 * scale,
                Rule::Torch => (scale * (i as f32 + 0.5) - 0.5).max(0.0),
            };
            let floor = (source as u32).min(last);
            low.push(floor);
            high.push((floor + 1).min(last));
            share.push((source - floor as f32).clamp(0.0, 1.0));
        }
        Axis { low, high, share }
    }
}

#[inline(always)]
fn mix(rule: Rule, a: f32, b: f32, share: f32) -> f32 {
    match rule {
        Rule::Tf1 => a + (b - a) * share,
        Rule::Torch => a * (1.0 - share) + b * share,
    }
}

/// The image at `side` by `side` as planes [3, side, side]: each byte through `begin`, each result through `finish`.
#[inline(always)]
pub(super) fn planes(
    image: &Rgb8,
    side: usize,
    rule: Rule,
    begin: impl Fn(u8) -> f32,
    finish: impl Fn(f32) -> f32,
    out: &mut [f32],
) {
    let across = Axis::new(image.w, side, rule);
    let down = Axis::new(image.h, side, rule);
    let length = 3 * side;
    // Two input rows at width `side`, [3, side] each: neighbours in the output mostly share them.
    let mut rows = [vec![0f32; length], vec![0f32; length]];
    let mut held = [usize::MAX; 2];
    let mut values = vec![0f32; 3 * image.w];
    for y in 0..side {
        let wanted = [down.low[y] as usize, down.high[y] as usize];
        if held[1] == wanted[0] {
            rows.swap(0, 1);
            held.swap(0, 1);
        }
        for k in 0..2 {
            if held[k] == wanted[k] {
                continue;
            }
            held[k] = wanted[k];
            if wanted[1] == wanted[0] && k == 1 {
                let [first, second] = &mut rows;
                second.copy_from_slice(first);
                continue;
            }
            let bytes = &image.data[wanted[k] * 3 * image.w..][..3 * image.w];
            values
                .iter_mut()
                .zip(bytes)
                .for_each(|(v, &byte)| *v = begin(byte));
            stretch(&values, &across, rule, &mut rows[k]);
        }
        let share = down.share[y];
        let pairs = rows[0].chunks_exact(side).zip(rows[1].chunks_exact(side));
        for (c, (low, high)) in pairs.enumerate() {
            let place = (c * side + y) * side;
            let line = &mut out[place..place + side];
            for ((o, &a), &b) in line.iter_mut().zip(low).zip(high) {
                *o = finish(mix(rule, a, b, share));
            }
        }
    }
}

/// One row [w, 3] → [3, side].
#[inline(always)]
fn stretch(values: &[f32], across: &Axis, rule: Rule, row: &mut [f32]) {
    let pixels = values.as_chunks::<3>().0;
    let side = row.len() / 3;
    let (red, rest) = row.split_at_mut(side);
    let (green, blue) = rest.split_at_mut(side);
    let places = red.iter_mut().zip(green).zip(blue);
    let sources = across.low.iter().zip(&across.high).zip(&across.share);
    for (((red, green), blue), ((&low, &high), &share)) in places.zip(sources) {
        let (a, b) = (pixels[low as usize], pixels[high as usize]);
        *red = mix(rule, a[0], b[0], share);
        *green = mix(rule, a[1], b[1], share);
        *blue = mix(rule, a[2], b[2], share);
    }
}
