//! Group normalisation with SiLU, and its gradients.

use super::{Float, close, each_float, input, kernel, kernels, launch, values, with_gradients};
use crate::support::tensors::normal;
use candle_core::{Device, Tensor};
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};

type Forward<T> = unsafe extern "C" fn(
    x: *const T,
    weight: *const f32,
    bias: *const f32,
    scale: *const f32,
    shift: *const f32,
    channels: i32,
    own: i32,
    row: i32,
    y: *mut T,
    stats: *mut f32,
    plane: i32,
    width: i32,
    silu: i32,
    eps: f32,
);
type Backward<T> = unsafe extern "C" fn(
    x: *const T,
    gain: *const f32,
    offset: *const f32,
    stats: *const f32,
    dy: *const T,
    dx: *mut T,
    dgain: *mut f32,
    doffset: *mut f32,
    plane: i32,
    width: i32,
    silu: i32,
);

/// Images, channels, rows, columns, groups.
const SHAPES: [[usize; 5]; 4] = [
    [2, 32, 4, 4, 32],
    [2, 96, 6, 8, 32],
    [1, 64, 2, 2, 16],
    [1, 32, 32, 32, 4],
];

fn is_the_cpus<T: Float>([n, c, h, w, groups]: [usize; 5], activation: Activation, threads: usize) {
    let Some(library) = kernels() else { return };
    // A mean far from zero, as nets have them.
    let (x, wide) = input::<T>(1, &[n, c, h, w], 2.0, 1.5);
    let (dy, slope) = input::<T>(2, &[n, c, h, w], 1.0, 0.0);
    let [scale, shift] = [3, 4].map(|seed| normal(seed, (n, c), 0.3).unwrap());
    let (gain, offset) = (values(&(&scale + 1.0).unwrap()), values(&shift));
    let one = Tensor::ones(c, candle_core::DType::F32, &Device::Cpu).unwrap();
    let zero = one.zeros_like().unwrap();
    let (want, slopes) = with_gradients(&[&wide, &scale, &shift], &slope, |t| {
        let both = Tensor::cat(&[&t[1], &t[2]], 1)?;
        group_norm(&t[0], groups, &one, &zero, Some(&both), activation)
    })
    .unwrap();

    // The kernel has both affine maps as the net has them; its gradients, the one that they come to.
    let maps = [&one, &zero, &scale, &shift].map(values);
    let (grid, plane, width) = ((n * groups, threads), (h * w) as i32, (c / groups) as i32);
    let silu = i32::from(activation == Activation::Silu);
    let function: Forward<T> = kernel::<T, _>(library, "group_norm");
    let room = (vec![T::of(0.0); x.len()], vec![0f32; 2 * n * groups]);
    let (y, stats) = launch(
        library,
        grid,
        room,
        |(y, stats)| (y.as_mut_ptr(), stats.as_mut_ptr()),
        // SAFETY: the sizes are those of the buffers.
        |(y, stats)| unsafe {
            let [one, zero, scale, shift] = maps.each_ref().map(|map| map.as_ptr());
            let c = c as i32;
            function(
                x.as_ptr(),
                one,
                zero,
                scale,
                shift,
                c,
                0,
                c,
                y,
                stats,
                plane,
                width,
                silu,
                1e-5,
            )
        },
    );
    close(&format!("group norm {activation:?}"), &y, &want);

    let function: Backward<T> = kernel::<T, _>(library, "group_norm_grad");
    let room = (vec![T::of(0.0); x.len()], vec![vec![0f32; n * c]; 2]);
    let (dx, affine) = launch(
        library,
        grid,
        room,
        |(dx, affine)| {
            let [gain, offset] = [0, 1].map(|k| affine[k].as_mut_ptr());
            (dx.as_mut_ptr(), gain, offset)
        },
        // SAFETY: as above.
        |(dx, dgain, doffset)| unsafe {
            let (x, gain, offset, dy) = (x.as_ptr(), gain.as_ptr(), offset.as_ptr(), dy.as_ptr());
            let stats = stats.as_ptr();
            function(
                x, gain, offset, stats, dy, dx, dgain, doffset, plane, width, silu,
            )
        },
    );
    close("its input's gradient", &dx, &slopes[0]);
    close("its gain's gradient", &affine[0], &slopes[1]);
    close("its offset's gradient", &affine[1], &slopes[2]);
}

#[test]
fn group_norms_and_their_gradients_are_the_cpus() {
    for shape in SHAPES {
        for activation in [Activation::None, Activation::Silu] {
            for threads in [64, 256] {
                each_float!(is_the_cpus(shape, activation, threads));
            }
        }
    }
}

type Affine = unsafe extern "C" fn(
    weight: *const f32,
    bias: *const f32,
    scale: *const f32,
    shift: *const f32,
    channels: i32,
    own: i32,
    row: i32,
    gain: *mut f32,
    offset: *mut f32,
    count: i32,
);
type AffineGrad = unsafe extern "C" fn(
    weight: *const f32,
    bias: *const f32,
    scale: *const f32,
    shift: *const f32,
    channels: i32,
    own: i32,
    row: i32,
    dgain: *const f32,
    doffset: *const f32,
    dweight: *mut f32,
    dbias: *mut f32,
    de: *mut f32,
    n: i32,
);

#[test]
fn both_affine_maps_are_one() {
    let Some(library) = kernels() else { return };
    let function: Affine = kernel::<f32, _>(library, "affine");
    let (n, c) = (3, 10);
    // Scale and shift lie beside each other, as a layer gives them.
    let [weight, bias] = [1, 2].map(|seed| values(&normal(seed, c, 1.0).unwrap()));
    let both = values(&normal(3, (n, 2 * c), 1.0).unwrap());
    for adaptive in [true, false] {
        let room = [vec![f32::NAN; n * c], vec![f32::NAN; n * c]];
        let [gain, offset] = launch(
            library,
            (1, 32),
            room,
            |room| room.each_mut().map(Vec::as_mut_ptr),
            |[gain, offset]| {
                let null = std::ptr::null();
                let (scale, shift) = if adaptive {
                    (both.as_ptr(), both[c..].as_ptr())
                } else {
                    (null, null)
                };
                let (weight, bias) = (weight.as_ptr(), bias.as_ptr());
                let (width, row, count) = (c as i32, 2 * c as i32, (n * c) as i32);
                // SAFETY: the sizes are those of the buffers.
                unsafe {
                    function(
                        weight, bias, scale, shift, width, 0, row, gain, offset, count,
                    )
                }
            },
        );
        let want = |i: usize| {
            let (image, c0) = (i / c, i % c);
            let (scale, shift) = (both[image * 2 * c + c0], both[image * 2 * c + c + c0]);
            if adaptive {
                ((1.0 + scale) * weight[c0], (1.0 + scale) * bias[c0] + shift)
            } else {
                (weight[c0], bias[c0])
            }
        };
        let (gains, offsets): (Vec<f32>, Vec<f32>) = (0..n * c).map(want).unzip();
        close("gains", &gain, &gains);
        close("offsets", &offset, &offsets);
    }
}

#[test]
fn gradients_of_both_affine_maps_are_those_of_candle() {
    let Some(library) = kernels() else { return };
    let function: AffineGrad = kernel::<f32, _>(library, "affine_grad");
    let (n, c) = (3, 10);
    let [weight, bias] = [1, 2].map(|seed| normal(seed, c, 1.0).unwrap());
    let both = normal(3, (n, 2 * c), 1.0).unwrap();
    let slope = normal(4, (2 * n, c), 1.0).unwrap();
    let (_, want) = with_gradients(&[&weight, &bias, &both], &slope, |t| {
        let (scale, shift) = (t[2].narrow(1, 0, c)?, t[2].narrow(1, c, c)?);
        let by = (scale + 1.0)?;
        let gain = by.broadcast_mul(&t[0])?;
        let offset = (by.broadcast_mul(&t[1])? + shift)?;
        Tensor::cat(&[gain, offset], 0)
    })
    .unwrap();
    let [weight, bias, both, slope] = [&weight, &bias, &both, &slope].map(values);
    let room = [c, c, 2 * n * c].map(|count| vec![0f32; count]);
    let got = launch(
        library,
        (1, 32),
        room,
        |room| room.each_mut().map(Vec::as_mut_ptr),
        |[dweight, dbias, de]| {
            let (width, row, images) = (c as i32, 2 * c as i32, n as i32);
            let (scale, shift) = (both.as_ptr(), both[c..].as_ptr());
            let (dgain, doffset) = (slope.as_ptr(), slope[n * c..].as_ptr());
            let (weight, bias) = (weight.as_ptr(), bias.as_ptr());
            // SAFETY: the sizes are those of the buffers.
            unsafe {
                function(
                    weight, bias, scale, shift, width, 0, row, dgain, doffset, dweight, dbias, de,
                    images,
                )
            }
        },
    );
    for (name, (got, want)) in ["weight", "bias", "scale and shift"]
        .iter()
        .zip(got.iter().zip(&want))
    {
        close(&format!("gradients of the {name}"), got, want);
    }
}
