//! A Gaussian blur of images, as torchvision's `GaussianBlur` makes it.

use candle_core::{Result, Tensor};

/// A kernel's width and the spread of its weights, both in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// Pixels a side, odd, and less than twice those of the images.
    pub kernel: usize,
    /// Standard deviation, above 0.
    pub sigma: f64,
}

impl Gaussian {
    /// x [n, c, h, w] blurred; beyond an edge the image is mirrored, without the edge itself twice. Value by value, so that
    /// an image is the same in any batch.
    ///
    /// # Errors
    /// Those of the device.
    pub fn blur(self, x: &Tensor) -> Result<Tensor> {
        self.along(&self.along(x, 3)?, 2)
    }

    /// `kernel` weights of sum 1.
    fn weights(self) -> Vec<f64> {
        let middle = (self.kernel / 2) as f64;
        let weight = |at: usize| (-0.5 * ((at as f64 - middle) / self.sigma).powi(2)).exp();
        let weights: Vec<f64> = (0..self.kernel).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// The same for one of the dimensions of x.
    fn along(self, x: &Tensor, dim: usize) -> Result<Tensor> {
        let side = x.dim(dim)?;
        let mirrored = mirrored(side, self.kernel / 2);
        let mirrored = Tensor::from_vec(mirrored, side + 2 * (self.kernel / 2), x.device())?;
        let wide = x.contiguous()?.index_select(&mirrored, dim)?;
        let mut blurred = x.zeros_like()?;
        for (at, weight) in self.weights().into_iter().enumerate() {
            blurred = (blurred + wide.narrow(dim, at, side)?.affine(weight, 0.0)?)?;
        }
        Ok(blurred)
    }
}

/// The places 0..side, and `margin` of them on each side of an edge, counted back from it.
fn mirrored(side: usize, margin: usize) -> Vec<u32> {
    let last = side as i64 - 1;
    let place = |at: i64| match at.abs() {
        at if at > last => (2 * last - at).max(0) as u32,
        at => at as u32,
    };
    (-(margin as i64)..=last + margin as i64)
        .map(place)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn an_edge_is_a_mirror() {
        assert_eq!(mirrored(4, 2), [2, 1, 0, 1, 2, 3, 2, 1]);
        assert_eq!(mirrored(3, 2), [2, 1, 0, 1, 2, 1, 0]);
        assert_eq!(mirrored(1, 0), [0]);
    }

    #[test]
    fn a_point_becomes_the_kernel_and_a_plane_stays() -> Result<()> {
        let blur = Gaussian {
            kernel: 5,
            sigma: 1.5,
        };
        let mut point = vec![0f32; 49];
        point[3 * 7 + 3] = 1.0;
        let x = Tensor::from_vec(point, (1, 1, 7, 7), &Device::Cpu)?;
        let blurred = blur.blur(&x)?.squeeze(0)?.squeeze(0)?.to_vec2::<f32>()?;
        let part = |at: usize| (-0.5 * ((at as f64 - 3.0) / 1.5).powi(2)).exp();
        let sum: f64 = (1..=5).map(part).sum();
        for (i, row) in blurred.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                let inside = (1..=5).contains(&i) && (1..=5).contains(&j);
                let expected = if inside {
                    part(i) * part(j) / sum / sum
                } else {
                    0.0
                };
                assert!((f64::from(*value) - expected).abs() < 1e-7, "{i} {j}");
            }
        }
        let plane = Tensor::full(0.7f32, (2, 3, 4, 4), &Device::Cpu)?;
        let off = (blur.blur(&plane)? - plane)?.abs()?.max_all()?;
        assert!(off.to_dtype(DType::F64)?.to_scalar::<f64>()? < 1e-6);
        Ok(())
    }
}
