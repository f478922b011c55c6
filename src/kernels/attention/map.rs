//! Attention's map seen from outside: what each position receives of all others, and attention under the identity in its
//! place. Neither has gradients.

use crate::kernels::attention::qkv::{Order, part, sizes};
use candle_core::{DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

/// How much attention each position receives of `qkv [n, 3c, ...]` over l positions: the sum over all queries of the mean
/// map of the `heads` → `[n, l]` f32, whose mean is 1. Image by image, so that it depends on no other image of the batch.
///
/// # Errors
/// Where `3 * heads` does not divide the channels.
pub fn received(qkv: &Tensor, heads: usize, order: Order) -> Result<Tensor> {
    let (n, d, l) = sizes(qkv, heads)?;
    // Both factors are scaled before the product, as where the map is used.
    let scale = 1.0 / (d as f64).sqrt().sqrt();
    let factor = |i: usize| -> Result<Tensor> {
        let part = part(qkv, heads, order, i)?.to_dtype(DType::F32)?;
        part.affine(scale, 0.0)?.reshape((n, heads, d, l))
    };
    let (queries, keys) = (factor(0)?, factor(1)?);
    let sums = (0..n).map(|image| {
        let (q, k) = (queries.get(image)?, keys.get(image)?);
        let scores = q.transpose(1, 2)?.contiguous()?.matmul(&k.contiguous()?)?;
        softmax_last_dim(&scores)?.mean(0)?.sum_keepdim(0)
    });
    Tensor::cat(&sums.collect::<Result<Vec<_>>>()?, 0)
}

/// Attention whose map is the identity: the values of `qkv [n, 3c, ...]` → `[n, c, ...]` of its type.
///
/// # Errors
/// As [`received`].
pub fn values(qkv: &Tensor, heads: usize, order: Order) -> Result<Tensor> {
    let (n, d, _) = sizes(qkv, heads)?;
    let shape = [&[n, heads * d], &qkv.dims()[2..]].concat();
    part(qkv, heads, order, 2)?.reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::attention::qkv::qkv_attention;
    use candle_core::Device;

    /// Values of no order, about 1 in size.
    fn wave(n: usize, channels: usize, l: usize) -> Result<Tensor> {
        let values = (0..n * channels * l).map(|i| 1.5 * (i as f32 * 1.7).sin());
        Tensor::from_iter(values, &Device::Cpu)?.reshape((n, channels, l))
    }

    #[test]
    fn what_positions_receive_is_what_attention_gives_out() -> Result<()> {
        let (n, heads, d, l) = (2, 2, 3, 7);
        let qkv = wave(n, 3 * heads * d, l)?;
        for order in [Order::ByHead, Order::ByPart] {
            // With values that tell the positions apart, the sum of attention's output over its queries is what is received.
            let mut sums = vec![vec![0f32; l]; n];
            for at in 0..l {
                let mut marked = qkv.to_vec3::<f32>()?;
                for image in &mut marked {
                    for (channel, row) in image.iter_mut().enumerate() {
                        let is_value = match order {
                            Order::ByHead => channel / d % 3 == 2,
                            Order::ByPart => channel / d >= 2 * heads,
                        };
                        if is_value {
                            row.fill(0.0);
                            row[at] = 1.0;
                        }
                    }
                }
                let marked = Tensor::new(marked, &Device::Cpu)?;
                let mixed = qkv_attention(&marked, heads, order)?.to_vec3::<f32>()?;
                for (image, sums) in mixed.iter().zip(&mut sums) {
                    let all: f32 = image.iter().flatten().sum();
                    sums[at] = all / (heads * d) as f32;
                }
            }
            let ours = received(&qkv, heads, order)?.to_vec2::<f32>()?;
            for (ours, sums) in ours.iter().zip(&sums) {
                for (ours, sum) in ours.iter().zip(sums) {
                    assert!((ours - sum).abs() < 1e-5, "{order:?}: {ours} {sum}");
                }
            }
            assert!(ours[0].iter().any(|sum| (sum - 1.0).abs() > 0.1));
        }
        Ok(())
    }

    #[test]
    fn the_identity_passes_on_the_values_of_every_head() -> Result<()> {
        let (heads, d) = (2, 3);
        let qkv = wave(2, 3 * heads * d, 4)?;
        for order in [Order::ByHead, Order::ByPart] {
            let channel = |at: usize| match order {
                Order::ByHead => at / d * 3 * d + 2 * d + at % d,
                Order::ByPart => 2 * heads * d + at,
            };
            let expected: Vec<_> = (0..heads * d)
                .map(|at| qkv.narrow(1, channel(at), 1))
                .collect::<Result<_>>()?;
            let expected = Tensor::cat(&expected, 1)?.to_vec3::<f32>()?;
            let grid = qkv.reshape((2, 3 * heads * d, 2, 2))?;
            let ours = values(&grid, heads, order)?;
            assert_eq!(ours.dims(), [2, heads * d, 2, 2]);
            assert_eq!(ours.flatten_from(2)?.to_vec3::<f32>()?, expected);
        }
        Ok(())
    }
}
