//! Resizing images by a matrix a side: bilinear with half-pixel centres to enlarge, the mean over areas to shrink.

use candle_core::{DType, Device, Result, Tensor, bail};

/// Weights of the source pixels for each target pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Half-pixel centres, edges clamped, no antialiasing: torch's `bilinear`, `align_corners=False`.
    Bilinear,
    /// Each target pixel is the mean of the area it covers.
    Area,
}

/// x [n, c, h, w] f32 → [n, c, height, width]; no gradient is meant to flow, though it would.
pub fn resize(x: &Tensor, height: usize, width: usize, filter: Filter) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if h == 0 || w == 0 || height == 0 || width == 0 {
        bail!("an image of {h}x{w} pixels cannot be resized to {height}x{width}");
    }
    let mut planes = x.reshape((n * c, h, w))?;
    if w != width {
        let across = matrix(w, width, filter, x.device())?.t()?;
        planes = planes
            .contiguous()?
            .matmul(&across.broadcast_as((n * c, w, width))?)?;
    }
    if h != height {
        let down = matrix(h, height, filter, x.device())?;
        planes = down
            .broadcast_as((n * c, height, h))?
            .matmul(&planes.contiguous()?)?;
    }
    planes.reshape((n, c, height, width))
}

/// Weights [to, from] f32; every row sums to one.
fn matrix(from: usize, to: usize, filter: Filter, device: &Device) -> Result<Tensor> {
    let mut weights = vec![0f64; to * from];
    let ratio = from as f64 / to as f64;
    for (i, row) in weights.chunks_exact_mut(from).enumerate() {
        match filter {
            Filter::Bilinear => {
                let centre = ((i as f64 + 0.5) * ratio - 0.5).max(0.0);
                let left = (centre as usize).min(from - 1);
                let right = (left + 1).min(from - 1);
                let part = centre - left as f64;
                row[left] += 1.0 - part;
                row[right] += part;
            }
            Filter::Area => {
                let (start, end) = (i as f64 * ratio, (i + 1) as f64 * ratio);
                for (j, weight) in row.iter_mut().enumerate() {
                    let covered = end.min((j + 1) as f64) - start.max(j as f64);
                    *weight = covered.max(0.0) / ratio;
                }
            }
        }
    }
    Tensor::from_vec(weights, (to, from), &Device::Cpu)?
        .to_dtype(DType::F32)?
        .to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32], to: usize, filter: Filter) -> Vec<f32> {
        let x = Tensor::from_slice(values, (1, 1, 1, values.len()), &Device::Cpu).unwrap();
        resize(&x, 1, to, filter)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap()
    }

    #[test]
    fn enlarging_takes_half_pixel_centres_and_clamps_the_edges() {
        assert_eq!(
            row(&[0.0, 1.0], 4, Filter::Bilinear),
            [0.0, 0.25, 0.75, 1.0]
        );
    }

    #[test]
    fn shrinking_takes_the_mean_of_each_area() {
        assert_eq!(row(&[0.0, 2.0, 4.0, 8.0], 2, Filter::Area), [1.0, 6.0]);
        assert_eq!(row(&[3.0, 6.0, 9.0], 2, Filter::Area), [4.0, 8.0]);
    }
}
