//! What is done with a predicted image that leaves the range of images.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// A rule for x0 [n, c, h, w] f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clamp {
    /// As it is.
    None,
    /// To [-1, 1] (the release's `clip_denoised`).
    Unit,
    /// By each image's own range: with s the larger of 1 and this quantile of its |x0|, to [-s, s], then over s
    /// ("Imagen", arXiv:2205.11487, section 2.3: dynamic thresholding).
    Dynamic(f64),
}

impl Clamp {
    /// # Errors
    /// Those of the device.
    pub fn of(self, x0: Tensor) -> Result<Tensor> {
        match self {
            Clamp::None => Ok(x0),
            Clamp::Unit => x0.clamp(-1.0, 1.0),
            Clamp::Dynamic(share) => dynamic(&x0, share),
        }
    }
}

fn dynamic(x0: &Tensor, share: f64) -> Result<Tensor> {
    let rows = x0.flatten_from(1)?.to_device(&Device::Cpu)?;
    let mut rows = rows.to_vec2::<f32>()?;
    let ranges: Vec<f32> = rows
        .par_iter_mut()
        .map(|row| quantile(row, share).max(1.0) as f32)
        .collect();
    let mut shape = vec![1; x0.rank()];
    shape[0] = ranges.len();
    let range = Tensor::from_vec(ranges, shape, x0.device())?;
    x0.broadcast_div(&range)?.clamp(-1.0, 1.0)
}

/// The `share`-quantile of the absolute values, linear between neighbours as torch's; leaves `row` reordered.
fn quantile(row: &mut [f32], share: f64) -> f64 {
    row.iter_mut().for_each(|value| *value = value.abs());
    let place = share * (row.len() - 1) as f64;
    let below = place.floor() as usize;
    let (_, low, above) = row.select_nth_unstable_by(below, f32::total_cmp);
    let low = f64::from(*low);
    match above.iter().copied().min_by(f32::total_cmp) {
        Some(high) => low + (f64::from(high) - low) * (place - below as f64),
        None => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let mut row = [4.0f32, -1.0, 3.0, -2.0, 0.0];
        assert_eq!(quantile(&mut row.clone(), 0.5), 2.0);
        assert_eq!(quantile(&mut row.clone(), 0.9), 3.0 + 0.6);
        assert_eq!(quantile(&mut row, 1.0), 4.0);
    }

    #[test]
    fn each_image_is_held_in_its_own_range() -> Result<()> {
        let x0 =
            Tensor::new(&[[0.5f32, -0.25], [4.0, -2.0]], &Device::Cpu)?.reshape((2, 1, 1, 2))?;
        let held = Clamp::Dynamic(0.5)
            .of(x0)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        // The medians are 0.375, raised to 1, and 3.
        assert_eq!(held, [0.5, -0.25, 1.0, -2.0 / 3.0]);
        Ok(())
    }
}
