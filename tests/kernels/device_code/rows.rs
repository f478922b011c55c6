//! Softmax over rows, and its gradient.

use super::{Float, close, each_float, input, kernel, kernels, launch, values, with_gradients};
use candle_core::D;
use candle_nn::ops::softmax;
use fidrunner::kernels::attention::qkv::Order;

type Forward<T> = unsafe extern "C" fn(x: *const T, y: *mut T, rows: i32, n: i32);
type Backward<T> = unsafe extern "C" fn(p: *const T, dp: *const T, dx: *mut T, rows: i32, n: i32);

/// A block's threads, and its rows: a warp each.
const THREADS: usize = 128;
const ROWS: usize = 4;

fn is_the_cpus<T: Float>(rows: usize, n: usize) {
    let Some(library) = kernels() else { return };
    let (x, wide) = input::<T>(1, &[rows, n], 3.0, 0.0);
    let (dy, slope) = input::<T>(2, &[rows, n], 1.0, 0.0);
    let softmax = |t: &[candle_core::Tensor]| softmax(&t[0], D::Minus1);
    let (want, _) = with_gradients(&[&wide], &slope, softmax).unwrap();

    let grid = (rows.div_ceil(ROWS), THREADS);
    let function: Forward<T> = kernel::<T, _>(library, "softmax");
    let room = vec![T::of(0.0); rows * n];
    let y = launch(library, grid, room.clone(), Vec::as_mut_ptr, |y| unsafe {
        // SAFETY: the sizes are those of the buffers.
        function(x.as_ptr(), y, rows as i32, n as i32)
    });
    close(&format!("softmax of {n}"), &y, &want);

    // Of the result as it is, rounded: dx = p (dy - sum p dy).
    let p: Vec<f32> = y.iter().map(|v| v.wide()).collect();
    let slopes: Vec<f32> = dy.iter().map(|v| v.wide()).collect();
    let want: Vec<f32> = p
        .chunks(n)
        .zip(slopes.chunks(n))
        .flat_map(|(p, slope)| {
            let both = p.iter().zip(slope);
            let sum: f32 = both.clone().map(|(p, g)| p * g).sum();
            both.map(move |(p, g)| p * (g - sum))
        })
        .collect();
    let function: Backward<T> = kernel::<T, _>(library, "softmax_grad");
    let dx = launch(library, grid, room, Vec::as_mut_ptr, |dx| unsafe {
        // SAFETY: as above.
        function(y.as_ptr(), dy.as_ptr(), dx, rows as i32, n as i32)
    });
    close(&format!("its gradient of {n}"), &dx, &want);
}

#[test]
fn softmaxes_and_their_gradients_are_the_cpus() {
    // Rows that are read once, of whole vectors and longer, and of odd lengths; blocks that are not full.
    for (rows, n) in [(5, 64), (4, 256), (3, 1024), (2, 1028), (7, 65), (1, 3)] {
        each_float!(is_the_cpus(rows, n));
    }
}

type Split<T> = unsafe extern "C" fn(
    *const T,
    *mut T,
    heads: i32,
    size: i32,
    by_part: i32,
    count: i32,
    scale: f32,
);

fn parted<T: Float>(order: Order) {
    let Some(library) = kernels() else { return };
    let (n, heads, d, l) = (2, 3, 4, 5);
    let (x, wide) = input::<T>(1, &[n, 3 * heads * d, l], 1.0, 0.0);
    let scale = 0.5f32;
    let function: Split<T> = kernel::<T, _>(library, "split_qkv");
    let (by_part, size) = (i32::from(order == Order::ByPart), (d * l) as i32);
    let count = x.len() as i32;
    let room = vec![T::of(0.0); x.len()];
    let y = launch(library, (2, 32), room, Vec::as_mut_ptr, |y| unsafe {
        // SAFETY: the sizes are those of the buffers.
        function(x.as_ptr(), y, heads as i32, size, by_part, count, scale)
    });
    // Heads and parts, by candle's views.
    let shape = match order {
        Order::ByHead => (n, heads, 3, d, l),
        Order::ByPart => (n, 3, heads, d, l),
    };
    let wide = wide.reshape(shape).unwrap();
    let axis = if order == Order::ByHead { 2 } else { 1 };
    let part = |i: usize| {
        let part = wide.narrow(axis, i, 1).unwrap().contiguous().unwrap();
        let factor = if i < 2 { scale } else { 1.0 };
        values(&part).into_iter().map(move |v| v * factor)
    };
    let want: Vec<f32> = (0..3).flat_map(part).collect();
    close(&format!("parts {order:?}"), &y, &want);
}

#[test]
fn queries_keys_and_values_are_told_apart() {
    for order in [Order::ByHead, Order::ByPart] {
        each_float!(parted(order));
    }
}
