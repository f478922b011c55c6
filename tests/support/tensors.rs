//! What the kernels' tests share: seeded inputs, a distance, and pools of threads.

use candle_core::{Device, Result, Shape, Tensor};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Roughly normal numbers times `scale`, the same for the same seed (candle's CPU generator cannot be seeded).
pub fn normal(seed: u64, shape: impl Into<Shape>, scale: f32) -> Result<Tensor> {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut one = || ((0..12).map(|_| uniform()).sum::<f32>() - 6.0) * scale;
    let data: Vec<f32> = (0..shape.elem_count()).map(|_| one()).collect();
    Tensor::from_vec(data, shape, &Device::Cpu)
}

/// The largest difference, relative to the largest value of `want`.
pub fn far(got: &Tensor, want: &Tensor) -> Result<f32> {
    assert_eq!(got.shape(), want.shape());
    let largest = |t: &Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
    Ok(largest(&(got - want)?)? / largest(want)?)
}

/// The bits of every element.
pub fn bits(t: &Tensor) -> Result<Vec<u32>> {
    let values = t.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.into_iter().map(f32::to_bits).collect())
}

/// Pools of one, two and three threads.
pub fn pools() -> Vec<ThreadPool> {
    let pool = |n| ThreadPoolBuilder::new().num_threads(n).build();
    [1, 2, 3].map(|n| pool(n).expect("threads")).into()
}
