//! Resizing images: bilinear with half-pixel centres to enlarge, the mean over areas to shrink.

use candle_core::{Result, Tensor, bail};

/// Weights of the source pixels for each target pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Half-pixel centres, edges clamped, no antialiasing: torch's `bilinear`, `align_corners=False`.
    Bilinear,
    /// Each target pixel is the mean of the area it covers.
    Area,
}

/// x [n, c, h, w] f32 → [n, c, height, width]; an image's result does not depend on the batch around it.
pub fn resize(x: &Tensor, height: usize, width: usize, filter: Filter) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if h == 0 || w == 0 || height == 0 || width == 0 {
        bail!("an image of {h}x{w} pixels cannot be resized to {height}x{width}");
    }
    along(&along(x, 3, width, filter)?, 2, height, filter)
}

/// Resizes one of the last two dimensions, as a sum of weighted selections: a matrix product would be shorter, but
/// rounds differently for different batches.
fn along(x: &Tensor, dim: usize, to: usize, filter: Filter) -> Result<Tensor> {
    let from = x.dim(dim)?;
    if from == to {
        return Ok(x.clone());
    }
    let rows: Vec<_> = (0..to).map(|i| taps(i, from, to, filter)).collect();
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut sum: Option<Tensor> = None;
    for k in 0..most {
        let tap = |row: &Vec<(u32, f32)>| row.get(k).copied().unwrap_or((0, 0.0));
        let (places, weights): (Vec<u32>, Vec<f32>) = rows.iter().map(tap).unzip();
        let shape = if dim == 3 {
            (1, 1, 1, to)
        } else {
            (1, 1, to, 1)
        };
        let weights = Tensor::from_vec(weights, shape, x.device())?.to_dtype(x.dtype())?;
        let places = Tensor::from_vec(places, to, x.device())?;
        let part = x
            .contiguous()?
            .index_select(&places, dim)?
            .broadcast_mul(&weights)?;
        sum = Some(match sum {
            Some(sum) => (sum + part)?,
            None => part,
        });
    }
    match sum {
        Some(sum) => Ok(sum),
        None => bail!("nothing to resize to"),
    }
}

/// The source pixels of target pixel `i` with their weights, which sum to one.
fn taps(i: usize, from: usize, to: usize, filter: Filter) -> Vec<(u32, f32)> {
    let ratio = from as f64 / to as f64;
    match filter {
        Filter::Bilinear => {
            let centre = ((i as f64 + 0.5) * ratio - 0.5).max(0.0);
            let left = (centre as usize).min(from - 1);
            let right = (left + 1).min(from - 1);
            let part = centre - left as f64;
            vec![
                (left as u32, (1.0 - part) as f32),
                (right as u32, part as f32),
            ]
        }
        Filter::Area => {
            let (start, end) = (i as f64 * ratio, (i + 1) as f64 * ratio);
            let covered = |j: usize| end.min((j + 1) as f64) - start.max(j as f64);
            (start as usize..from)
                .map(|j| (j as u32, (covered(j) / ratio) as f32))
                .take_while(|(_, weight)| *weight > 1e-7)
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

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
