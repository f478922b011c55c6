//! Softmax over rows, and its gradient.

use super::{Float, close, each_float, input, kernel, kernels, launch, with_gradients};
use candle_core::D;
use candle_nn::ops::softmax;

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
