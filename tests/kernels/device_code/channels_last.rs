//! Maps and tokens whose channels lie side by side, against the same plane by plane.

use super::{Float, close, each_float, input, kernel, kernels, launch, values, with_gradients};
use crate::support::tensors::normal;
use candle_core::{DType, Device, Tensor};
use fidrunner::kernels::attention::qkv::{Order, qkv_attention};
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};
use fidrunner::kernels::resample;
use std::ptr::null;

type Norm<T> = unsafe extern "C" fn(
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
    positions: i32,
    width: i32,
    bundle: i32,
    silu: i32,
    eps: f32,
);
type NormGrad<T> = unsafe extern "C" fn(
    x: *const T,
    gain: *const f32,
    offset: *const f32,
    stats: *const f32,
    dy: *const T,
    dx: *mut T,
    dgain: *mut f32,
    doffset: *mut f32,
    positions: i32,
    channels: i32,
    width: i32,
    bundle: i32,
    silu: i32,
);
type Resample<T> =
    unsafe extern "C" fn(*const T, *mut T, h: i32, w: i32, channels: i32, count: i32, factor: f32);
type Add<T> = unsafe extern "C" fn(*mut T, *const T, *const T, channels: i32, count: i32);
type Transpose<T> = unsafe extern "C" fn(*const T, *mut T, rows: i32, columns: i32, squares: i32);
type Split<T> = unsafe extern "C" fn(
    *const T,
    *mut T,
    heads: i32,
    d: i32,
    l: i32,
    by_part: i32,
    count: i32,
    scale: f32,
);
type Merge<T> = unsafe extern "C" fn(*const T, *mut T, heads: i32, d: i32, l: i32, count: i32);

/// Maps `[n, c, h, w]` as they lie with their channels last.
fn last<T: Float>(maps: &Tensor) -> Vec<T> {
    let rows = maps.permute((0, 2, 3, 1)).expect("maps");
    values(&rows).into_iter().map(T::of).collect()
}

/// The same in f32.
fn rows(maps: &Tensor) -> Vec<f32> {
    last::<f32>(maps)
}

/// Images, channels, rows, columns, groups, and the groups of a block.
const NORMS: [[usize; 6]; 6] = [
    [2, 32, 4, 4, 32, 32],
    [2, 96, 6, 7, 32, 11],
    [1, 64, 2, 2, 16, 8],
    [1, 48, 33, 9, 4, 1],
    [2, 64, 5, 5, 64, 32],
    [1, 320, 3, 3, 32, 4],
];

fn normalised<T: Float>([n, c, h, w, groups, bundle]: [usize; 6], silu: bool, threads: usize) {
    let Some(library) = kernels() else { return };
    // A mean far from zero, as nets have them.
    let (_, wide) = input::<T>(1, &[n, c, h, w], 2.0, 7.5);
    let (_, slope) = input::<T>(2, &[n, c, h, w], 1.0, 0.0);
    let [scale, shift] = [3, 4].map(|seed| normal(seed, (n, c), 0.3).unwrap());
    let (gain, offset) = (values(&(&scale + 1.0).unwrap()), values(&shift));
    let one = Tensor::ones(c, DType::F32, &Device::Cpu).unwrap();
    let zero = one.zeros_like().unwrap();
    let activation = if silu {
        Activation::Silu
    } else {
        Activation::None
    };
    // As gradients of maps `[n, c, h, w]` come, of rows.
    let as_rows = |flat: &[f32]| {
        let maps = Tensor::from_slice(flat, (n, c, h, w), &Device::Cpu).unwrap();
        rows(&maps)
    };
    let (want, slopes) = with_gradients(&[&wide, &scale, &shift], &slope, |t| {
        let both = Tensor::cat(&[&t[1], &t[2]], 1)?;
        group_norm(&t[0], groups, &one, &zero, Some(&both), activation)
    })
    .unwrap();
    let (x, dy) = (last::<T>(&wide), last::<T>(&slope));
    let sizes = [h * w, c, c / groups, bundle].map(|v| v as i32);
    let [positions, channels, width, of] = sizes;
    let (grid, silu) = ((n * groups.div_ceil(bundle), threads), i32::from(silu));
    let name = format!("norm of {c} channels, {activation:?}");
    let function: Norm<T> = kernel::<T, _>(library, "norm_last");
    let room = (vec![T::of(0.0); x.len()], vec![0f32; 2 * n * groups]);
    let (y, stats) = launch(
        library,
        grid,
        room,
        |(y, stats)| (y.as_mut_ptr(), stats.as_mut_ptr()),
        // SAFETY: the sizes are those of the buffers.
        |(y, stats)| unsafe {
            let (x, gain, offset) = (x.as_ptr(), gain.as_ptr(), offset.as_ptr());
            function(
                x,
                gain,
                offset,
                null(),
                null(),
                channels,
                channels,
                0,
                y,
                stats,
                positions,
                width,
                of,
                silu,
                1e-5,
            )
        },
    );
    close(&name, &y, &as_rows(&want));

    let function: NormGrad<T> = kernel::<T, _>(library, "norm_last_grad");
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
                x, gain, offset, stats, dy, dx, dgain, doffset, positions, channels, width, of,
                silu,
            )
        },
    );
    close(&format!("{name}: dx"), &dx, &as_rows(&slopes[0]));
    close(&format!("{name}: its gains"), &affine[0], &slopes[1]);
    close(&format!("{name}: its offsets"), &affine[1], &slopes[2]);
}

#[test]
fn norms_of_maps_with_their_channels_last_are_the_cpus() {
    for shape in NORMS {
        each_float!(normalised(shape, true, 256));
        each_float!(normalised(shape, false, 96));
    }
}

/// A group of one value everywhere, whose variance is zero and must not come out below it.
#[test]
fn a_group_without_variance_is_its_offset() {
    let Some(library) = kernels() else { return };
    let function: Norm<f32> = kernel::<f32, _>(library, "norm_last");
    let (x, gain, offset) = (vec![1000.1f32; 4 * 32], [1f32; 32], [0.25f32; 32]);
    let room = (vec![0f32; x.len()], [0f32; 16]);
    let (y, _) = launch(
        library,
        (1, 256),
        room,
        |(y, stats)| (y.as_mut_ptr(), stats.as_mut_ptr()),
        // SAFETY: the sizes are those of the buffers.
        |(y, stats)| unsafe {
            let (x, gain, offset) = (x.as_ptr(), gain.as_ptr(), offset.as_ptr());
            function(
                x,
                gain,
                offset,
                null(),
                null(),
                32,
                0,
                0,
                y,
                stats,
                4,
                4,
                8,
                0,
                1e-5,
            )
        },
    );
    // What the mean rounds is enlarged by 1 / sqrt(eps), 316.
    assert!(y.iter().all(|v| (v - 0.25).abs() < 0.05), "{y:?}");
}

fn resampled<T: Float>(c: usize, h: usize, w: usize) {
    let Some(library) = kernels() else { return };
    let (_, wide) = input::<T>(1, &[2, c, h, w], 1.0, 0.0);
    let x = last::<T>(&wide);
    let (height, width, channels) = (h as i32, w as i32, c as i32);
    let want = rows(&resample::avg_pool2(&wide).unwrap());
    let function: Resample<T> = kernel::<T, _>(library, "shrink_last");
    let count = want.len() as i32;
    let room = vec![T::of(0.0); want.len()];
    let y = launch(library, (2, 64), room, Vec::as_mut_ptr, |y| unsafe {
        // SAFETY: the sizes are those of the buffers.
        function(x.as_ptr(), y, height, width, channels, count, 0.25)
    });
    close("halves", &y, &want);
    // Twice as large, and where that leaves out the last row or column, zeros there.
    let want = resample::upsample2(&wide).unwrap();
    let function: Resample<T> = kernel::<T, _>(library, "grow_last");
    for (more_rows, more_columns) in [(0, 0), (1, 1)] {
        let large = want
            .pad_with_zeros(2, 0, more_rows)
            .and_then(|t| t.pad_with_zeros(3, 0, more_columns));
        let want = rows(&large.unwrap());
        let (height, width) = (
            2 * height + more_rows as i32,
            2 * width + more_columns as i32,
        );
        let count = want.len() as i32;
        let room = vec![T::of(1.0); want.len()];
        let y = launch(library, (2, 64), room, Vec::as_mut_ptr, |y| unsafe {
            // SAFETY: as above.
            function(x.as_ptr(), y, height, width, channels, count, 1.0)
        });
        close("doubles", &y, &want);
    }
}

#[test]
fn halves_and_doubles_of_maps_with_their_channels_last_are_the_cpus() {
    for (c, h, w) in [(8, 4, 6), (6, 5, 7), (3, 2, 2)] {
        each_float!(resampled(c, h, w));
    }
}

fn sums<T: Float>(c: usize) {
    let Some(library) = kernels() else { return };
    let rows = 7;
    let (x, wide) = input::<T>(1, &[rows, c], 1.0, 0.0);
    let (bias, row) = input::<T>(2, &[c], 1.0, 0.0);
    let (more, other) = input::<T>(3, &[rows, c], 1.0, 0.0);
    let sum = wide.broadcast_add(&row).unwrap();
    for with_more in [false, true] {
        let function: Add<T> = kernel::<T, _>(library, "add_last");
        let more = if with_more { more.as_ptr() } else { null() };
        let y = launch(library, (2, 32), x.clone(), Vec::as_mut_ptr, |y| unsafe {
            // SAFETY: the sizes are those of the buffers.
            function(y, bias.as_ptr(), more, c as i32, (rows * c) as i32)
        });
        // Rounded to `T` in between.
        let once: Vec<f32> = values(&sum).iter().map(|v| T::of(*v).wide()).collect();
        let once = Tensor::from_vec(once, (rows, c), &Device::Cpu).unwrap();
        let want = if with_more {
            (once + &other).unwrap()
        } else {
            once
        };
        let want: Vec<T> = values(&want).iter().map(|v| T::of(*v)).collect();
        assert_eq!(y, want, "{c} channels, more: {with_more}");
    }
}

#[test]
fn biases_and_residuals_of_rows_are_two_rounded_sums() {
    for c in [8, 6, 5] {
        each_float!(sums(c));
    }
}

fn turned<T: Float>(n: usize, rows: usize, columns: usize, blocks: usize) {
    let Some(library) = kernels() else { return };
    let (x, wide) = input::<T>(1, &[n, rows, columns], 1.0, 0.0);
    let want = values(&wide.transpose(1, 2).unwrap());
    let function: Transpose<T> = kernel::<T, _>(library, "transpose");
    let squares = (n * rows.div_ceil(32) * columns.div_ceil(32)) as i32;
    let room = vec![T::of(0.0); x.len()];
    let y = launch(library, (blocks, 256), room, Vec::as_mut_ptr, |y| unsafe {
        // SAFETY: the sizes are those of the buffers.
        function(x.as_ptr(), y, rows as i32, columns as i32, squares)
    });
    let want: Vec<T> = want.iter().map(|v| T::of(*v)).collect();
    assert_eq!(y, want, "{n} matrices of {rows} by {columns}");
}

#[test]
fn transposes_are_exact_in_any_number_of_blocks() {
    for (n, rows, columns, blocks) in [(2, 3, 64, 4), (1, 33, 65, 2), (3, 32, 32, 1)] {
        each_float!(turned(n, rows, columns, blocks));
    }
}

/// Split, multiplied out here and put together, the tokens are what attention makes of the same maps.
fn tokens<T: Float>(order: Order) {
    let Some(library) = kernels() else { return };
    let (n, heads, d, h, w) = (2, 3, 6, 2, 5);
    let (l, c) = (h * w, heads * d);
    let (_, wide) = input::<T>(1, &[n, 3 * c, h, w], 0.5, 0.0);
    let x = last::<T>(&wide);
    let want = rows(&qkv_attention(&wide, heads, order).unwrap());
    let by_part = i32::from(order == Order::ByPart);
    let (of, each, long, count) = (heads as i32, d as i32, l as i32, x.len() as i32);
    let function: Split<T> = kernel::<T, _>(library, "split_tokens");
    let room = vec![T::of(0.0); x.len()];
    let all = launch(library, (3, 64), room, Vec::as_mut_ptr, |y| unsafe {
        let scale = (1.0 / (d as f32).sqrt()).sqrt();
        // SAFETY: the sizes are those of the buffers.
        function(x.as_ptr(), y, of, each, long, by_part, count, scale)
    });
    let part = |i: usize| {
        let size = n * l * c;
        let wide: Vec<f32> = all[i * size..][..size].iter().map(|v| v.wide()).collect();
        Tensor::from_vec(wide, (n * heads, l, d), &Device::Cpu).unwrap()
    };
    let scores = part(0).matmul(&part(1).transpose(1, 2).unwrap()).unwrap();
    let mixed = candle_nn::ops::softmax(&scores, 2)
        .unwrap()
        .matmul(&part(2))
        .unwrap();
    let mixed: Vec<T> = values(&mixed).iter().map(|v| T::of(*v)).collect();
    let function: Merge<T> = kernel::<T, _>(library, "merge_tokens");
    let room = vec![T::of(0.0); mixed.len()];
    let y = launch(library, (2, 64), room, Vec::as_mut_ptr, |y| unsafe {
        // SAFETY: as above.
        function(mixed.as_ptr(), y, of, each, long, mixed.len() as i32)
    });
    close(&format!("attention {order:?}"), &y, &want);
}

#[test]
fn tokens_are_split_and_put_together_where_they_belong() {
    for order in [Order::ByHead, Order::ByPart] {
        each_float!(tokens(order));
    }
}
