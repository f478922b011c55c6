//! Bilinear resizing without antialias by the two rules that evaluators use, operation by operation in f32.

use crate::io::image::file::Rgb8;

/// For each output place the two input places between which it lies, and the share of the second.
struct Axis {
    low: Vec<u32>,
    high: Vec<u32>,
    share: Vec<f32>,
}

impl Axis {
    /// `source` takes the scale and an output place to a place in the input.
    #[inline(always)]
    fn new(from: usize, to: usize, source: impl Fn(f32, f32) -> f32) -> Axis {
        let scale = from as f32 / to as f32;
        let last = from as u32 - 1;
        let (mut low, mut high, mut share) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..to {
            let source = source(scale, i as f32);
            let floor = (source as u32).min(last);
            low.push(floor);
            high.push((floor + 1).min(last));
            share.push((source - floor as f32).clamp(0.0, 1.0));
        }
        Axis { low, high, share }
    }
}

/// The image at `side` by `side` as planes [3, side, side] of 0..255, each through `finish`. TensorFlow 1's
/// `ResizeBilinear` with align_corners and half_pixel_centers both false: the place is i * scale, two numbers are mixed
/// as a + (b - a) share, in a row first.
#[inline(always)]
pub(crate) fn tensorflow(image: &Rgb8, side: usize, finish: impl Fn(f32) -> f32, out: &mut [f32]) {
    let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
    let across = Axis::new(image.w, side, |scale, i| i * scale);
    let down = Axis::new(image.h, side, |scale, i| i * scale);
    let stretch = |values: &[f32], row: &mut [f32]| {
        let pixels = values.as_chunks::<3>().0;
        let sources = across.low.iter().zip(&across.high).zip(&across.share);
        for (x, ((&low, &high), &share)) in sources.enumerate() {
            let (a, b) = (pixels[low as usize], pixels[high as usize]);
            for c in 0..3 {
                row[c * side + x] = mix(a[c], b[c], share);
            }
        }
    };
    let emit = |y: usize, low: &[f32], high: &[f32]| {
        let pairs = low.chunks_exact(side).zip(high.chunks_exact(side));
        for (c, (low, high)) in pairs.enumerate() {
            let line = &mut out[(c * side + y) * side..][..side];
            for ((o, &a), &b) in line.iter_mut().zip(low).zip(high) {
                *o = finish(mix(a, b, down.share[y]));
            }
        }
    };
    walk(image, &down, 3 * side, |byte| byte as f32, stretch, emit);
}

/// As `tensorflow`, by PyTorch's `interpolate(mode="bilinear", align_corners=False)` on bytes that `begin` makes numbers
/// of: the place is max((i + 0.5) * scale - 0.5, 0), and the four neighbours are weighed by products of shares. The order
/// and the fusing of the operations are those of PyTorch 2.15 on x86-64 with AVX2 or AVX-512, which these follow (with
/// neither it rounds otherwise, by 4e-7 at most).
#[inline(always)]
pub(crate) fn pytorch(
    image: &Rgb8,
    side: usize,
    begin: impl Fn(u8) -> f32,
    finish: impl Fn(f32) -> f32,
    out: &mut [f32],
) {
    let place = |scale: f32, i: f32| scale.mul_add(i + 0.5, -0.5).max(0.0);
    let across = Axis::new(image.w, side, place);
    let down = Axis::new(image.h, side, place);
    // A stretched row is [2, 3, side]: the left and the right neighbours.
    let stretch = |values: &[f32], row: &mut [f32]| {
        let pixels = values.as_chunks::<3>().0;
        let (left, right) = row.split_at_mut(3 * side);
        for (x, (&low, &high)) in across.low.iter().zip(&across.high).enumerate() {
            let (a, b) = (pixels[low as usize], pixels[high as usize]);
            for c in 0..3 {
                left[c * side + x] = a[c];
                right[c * side + x] = b[c];
            }
        }
    };
    let emit = |y: usize, low: &[f32], high: &[f32]| {
        let bottom = down.share[y];
        let top = 1.0 - bottom;
        let shares = &across.share[..side];
        for c in 0..3 {
            let line = &mut out[(c * side + y) * side..][..side];
            let [left, right] = [0, 1].map(|k| (3 * k + c) * side..(3 * k + c + 1) * side);
            let (a, b) = (&low[left.clone()], &low[right.clone()]);
            let (d, e) = (&high[left], &high[right]);
            for x in 0..side {
                let right = shares[x];
                let left = 1.0 - right;
                let sum = (top * right) * b[x];
                let sum = (top * left).mul_add(a[x], sum);
                let sum = (bottom * left).mul_add(d[x], sum);
                line[x] = finish((bottom * right).mul_add(e[x], sum));
            }
        }
    };
    walk(image, &down, 6 * side, begin, stretch, emit);
}

/// Calls `emit` for every output row with the two input rows that it lies between, each as `stretch` makes it `width`
/// numbers long. Neighbouring output rows share most of them, so the last two are kept.
#[inline(always)]
fn walk(
    image: &Rgb8,
    down: &Axis,
    width: usize,
    begin: impl Fn(u8) -> f32,
    stretch: impl Fn(&[f32], &mut [f32]),
    mut emit: impl FnMut(usize, &[f32], &[f32]),
) {
    let mut rows = [vec![0f32; width], vec![0f32; width]];
    let mut held = [u32::MAX; 2];
    let mut values = vec![0f32; 3 * image.w];
    for (y, (&low, &high)) in down.low.iter().zip(&down.high).enumerate() {
        if held[1] == low {
            rows.swap(0, 1);
            held.swap(0, 1);
        }
        for (k, wanted) in [low, high].into_iter().enumerate() {
            if held[k] == wanted || (k == 1 && wanted == low) {
                continue;
            }
            held[k] = wanted;
            let bytes = &image.data[wanted as usize * 3 * image.w..][..3 * image.w];
            let numbers = values.iter_mut().zip(bytes);
            numbers.for_each(|(v, &byte)| *v = begin(byte));
            stretch(&values, &mut rows[k]);
        }
        let second = if high == low { &rows[0] } else { &rows[1] };
        emit(y, &rows[0], second);
    }
}
