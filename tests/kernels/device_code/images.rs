//! What goes through planes of pixels: biases, halves and doubles, pools.

use super::{Float, close, each_float, input, kernel, kernels, launch, values, with_gradients};
use candle_core::Tensor;
use fidrunner::data::resize::input::fill;
use fidrunner::experiment::scoring::rules::Preprocessing;
use fidrunner::io::image::file::Rgb8;
use fidrunner::kernels::{maps, resample};

type AddBias<T> = unsafe extern "C" fn(
    *mut T,
    *const T,
    more: *const T,
    plane: i32,
    channels: i32,
    count: i32,
    relu: i32,
);
type BiasGrad<T> = unsafe extern "C" fn(*const T, *mut T, n: i32, channels: i32, plane: i32);
type Resample<T> = unsafe extern "C" fn(*const T, *mut T, h: i32, w: i32, count: i32, factor: f32);
type Pool3<T> = unsafe extern "C" fn(
    *const T,
    *mut T,
    h: i32,
    w: i32,
    out_h: i32,
    out_w: i32,
    stride: i32,
    pad: i32,
    mean: i32,
    count: i32,
);

fn biases<T: Float>(h: usize, w: usize) {
    let Some(library) = kernels() else { return };
    let (n, c) = (3, 5);
    let (x, wide) = input::<T>(1, &[n, c, h, w], 1.0, 0.0);
    let (bias, column) = input::<T>(2, &[c], 1.0, 0.0);
    let (dy, slope) = input::<T>(3, &[n, c, h, w], 1.0, 0.0);
    let add = |t: &[Tensor]| t[0].broadcast_add(&t[1].reshape((1, c, 1, 1))?);
    let (sum, slopes) = with_gradients(&[&wide, &column], &slope, add).unwrap();
    let (plane, channels, count) = ((h * w) as i32, c as i32, x.len() as i32);
    let (more, other) = input::<T>(4, &[n, c, h, w], 1.0, 0.0);
    let other = values(&other);
    for (relu, with_more) in [(0, false), (1, false), (0, true)] {
        let function: AddBias<T> = kernel::<T, _>(library, "add_bias");
        let more = if with_more {
            more.as_ptr()
        } else {
            std::ptr::null()
        };
        let y = launch(library, (2, 64), x.clone(), Vec::as_mut_ptr, |y| unsafe {
            // SAFETY: the sizes are those of the buffers.
            function(y, bias.as_ptr(), more, plane, channels, count, relu)
        });
        let cut = |v: &f32| if relu == 1 { v.max(0.0) } else { *v };
        let want: Vec<f32> = if with_more {
            // Rounded to `T` in between.
            let once = sum.iter().map(|v| T::of(*v).wide());
            once.zip(&other).map(|(a, b)| a + b).collect()
        } else {
            sum.iter().map(cut).collect()
        };
        close("a sum with a bias", &y, &want);
    }
    let function: BiasGrad<T> = kernel::<T, _>(library, "bias_grad");
    let room = vec![T::of(0.0); c];
    let db = launch(library, (c, 64), room, Vec::as_mut_ptr, |db| unsafe {
        // SAFETY: as above.
        function(dy.as_ptr(), db, n as i32, channels, plane)
    });
    close("a bias's gradient", &db, &slopes[1]);
}

fn resampled<T: Float>(h: usize, w: usize) {
    let Some(library) = kernels() else { return };
    let (planes, small) = (6, (h / 2) * (w / 2));
    let (x, wide) = input::<T>(1, &[2, 3, h, w], 1.0, 0.0);
    let want = values(&resample::avg_pool2(&wide).unwrap());
    let function: Resample<T> = kernel::<T, _>(library, "shrink");
    let room = vec![T::of(0.0); planes * small];
    let count = room.len() as i32;
    let y = launch(library, (2, 32), room, Vec::as_mut_ptr, |y| unsafe {
        // SAFETY: the sizes are those of the buffers.
        function(x.as_ptr(), y, h as i32, w as i32, count, 0.25)
    });
    close(&format!("means of {h} x {w}"), &y, &want);

    // Its gradient, which is the enlargement too: zeros where an odd row or column was left out.
    let (dy, slope) = input::<T>(2, &[2, 3, h / 2, w / 2], 1.0, 0.0);
    let (_, slopes) = with_gradients(&[&wide], &slope, |t| resample::avg_pool2(&t[0])).unwrap();
    let function: Resample<T> = kernel::<T, _>(library, "grow");
    let room = vec![T::of(1.0); x.len()];
    let count = room.len() as i32;
    let dx = launch(library, (2, 32), room, Vec::as_mut_ptr, |dx| unsafe {
        // SAFETY: as above.
        function(dy.as_ptr(), dx, h as i32, w as i32, count, 0.25)
    });
    close(&format!("their gradient, {h} x {w}"), &dx, &slopes[0]);
}

fn pooled<T: Float>(stride: usize, pad: usize, mean: bool) {
    let Some(library) = kernels() else { return };
    let (h, w) = (9, 7);
    let (x, wide) = input::<T>(1, &[2, 16, h, w], 1.0, 0.0);
    let maps = maps::Maps::new(&wide).unwrap();
    let pooled = if mean {
        maps.mean3()
    } else {
        maps.max3(stride, pad)
    };
    let pooled = pooled.unwrap().tensor().unwrap();
    let (_, _, oh, ow) = pooled.dims4().unwrap();
    let want = values(&pooled);
    let function: Pool3<T> = kernel::<T, _>(library, "pool3");
    let room = vec![T::of(0.0); want.len()];
    let [h, w, oh, ow, stride, pad] = [h, w, oh, ow, stride, pad].map(|size| size as i32);
    let y = launch(library, (2, 32), room, Vec::as_mut_ptr, |y| unsafe {
        let (mean, count) = (i32::from(mean), want.len() as i32);
        // SAFETY: the sizes are those of the buffers.
        function(x.as_ptr(), y, h, w, oh, ow, stride, pad, mean, count)
    });
    close(&format!("pool, stride {stride}, mean {mean}"), &y, &want);
}

#[test]
fn biases_and_their_gradients_are_the_cpus() {
    for (h, w) in [(8, 8), (3, 5)] {
        each_float!(biases(h, w));
    }
}

#[test]
fn halves_and_doubles_are_the_cpus() {
    for (h, w) in [(8, 8), (9, 6), (7, 7)] {
        each_float!(resampled(h, w));
    }
}

#[test]
fn pools_of_3_are_the_cpus() {
    for (stride, pad, mean) in [(1, 1, false), (2, 0, false), (1, 1, true)] {
        each_float!(pooled(stride, pad, mean));
    }
}

type ToInput = unsafe extern "C" fn(*const u8, *mut f32, h: i32, w: i32, side: i32, count: i32);
type ToInputOf =
    unsafe extern "C" fn(*const u8, *mut f32, h: i32, w: i32, side: i32, bytes: i32, count: i32);

#[test]
fn images_are_resized_to_the_cpus_bits() {
    let Some(library) = kernels() else { return };
    let first: ToInput = kernel::<f32, _>(library, "resize_tensorflow");
    let second: ToInputOf = kernel::<f32, _>(library, "resize_pytorch");
    for (w, h) in [(32, 32), (256, 256), (299, 299), (500, 375), (1, 7)] {
        let pixels: Vec<u8> = (0..2 * w * h * 3)
            .map(|i| (i * i / 7 + 31 * i) as u8)
            .collect();
        for how in [
            Preprocessing::Tf1,
            Preprocessing::Torch,
            Preprocessing::TorchBytes,
        ] {
            let each = how.input_len();
            let mut want = vec![0f32; 2 * each];
            for (image, out) in pixels.chunks(w * h * 3).zip(want.chunks_mut(each)) {
                let data = image.to_vec();
                fill(&Rgb8 { w, h, data }, how, out).unwrap();
            }
            let [h, w, side, count] = [h, w, how.side(), 2 * each].map(|size| size as i32);
            let room = vec![f32::NAN; 2 * each];
            // SAFETY: the sizes are those of the buffers.
            let got = launch(library, (3, 32), room, Vec::as_mut_ptr, |y| unsafe {
                let x = pixels.as_ptr();
                match how {
                    Preprocessing::Tf1 => first(x, y, h, w, side, count),
                    _ => {
                        let bytes = i32::from(how == Preprocessing::TorchBytes);
                        second(x, y, h, w, side, bytes, count);
                    }
                }
            });
            let differ = got
                .iter()
                .zip(&want)
                .filter(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(differ.count(), 0, "{how:?} of {w} x {h}");
        }
    }
}
