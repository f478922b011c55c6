//! Self-attention guidance: the image is blurred where the net attends to it, and the net is asked again ("Improving Sample
//! Quality of Diffusion Models Using Self-Attention Guidance", arXiv:2210.00939). Details are those of its authors' program.

use crate::diffusion::guidance::blur::Gaussian;
use crate::diffusion::guidance::rule::Point;
use crate::diffusion::process::posterior::{Mean, Output};
use candle_core::{DType, Result, Tensor};

/// Attention that a position receives, above which it is blurred; 1 is the average.
const THRESHOLD: f32 = 1.0;

/// The image x̄ [n, c, h, w] f32 that the net is asked about next to `point`, where `answer` [n, c or 2c, h, w] f32 is what
/// it said there: the x0 of the answer, clamped as the draw does it, blurred where `received` [n, h', w'] is above the
/// average, and with the noise of the answer again.
///
/// # Errors
/// An answer that has no x0 between the steps of a schedule.
pub fn degraded(
    point: &Point,
    answer: &Tensor,
    received: &Tensor,
    blur: Gaussian,
) -> Result<Tensor> {
    let level = point.place.level;
    let x = point.x.to_dtype(DType::F32)?;
    let x0 = point.output.x0_at(level, answer, &x)?;
    // Of the net's answer, not of the clamped x0.
    let noise = match point.output.mean {
        Mean::Epsilon => answer.narrow(1, 0, x.dim(1)?)?,
        _ => level.eps_of_x0(&x, &x0)?,
    };
    let x0 = point.clamp.of(x0)?;
    let mask = mask(received, x.dim(2)?, x.dim(3)?)?;
    let blurred = mask.broadcast_mul(&blur.blur(&x0)?)?;
    let kept = mask.affine(-1.0, 1.0)?.broadcast_mul(&x0)?;
    (blurred + kept)?.affine(level.alpha(), 0.0)? + noise.affine(level.sigma(), 0.0)?
}

/// The mean part [n, c, h, w] of an answer about `degraded` [n, c, h, w], as one about the image of `point`: the noise is
/// what the two answers are compared by, so that it is this noise which the result stands for in x.
///
/// # Errors
/// As [`degraded`].
pub fn as_of(point: &Point, degraded: &Tensor, answer: &Tensor) -> Result<Tensor> {
    let (output, level): (Output, _) = (point.output, point.place.level);
    let answer = answer.to_dtype(DType::F32)?;
    if output.mean == Mean::Epsilon {
        return Ok(answer);
    }
    let x = point.x.to_dtype(DType::F32)?;
    let noise = level.eps_of_x0(degraded, &output.x0_at(level, &answer, degraded)?)?;
    output.of_x0(level, &level.x0_of_eps(&x, &noise)?, &x)
}

/// 1 where `received` [n, h', w'] is above the threshold, else 0: [n, 1, h, w] f32, enlarged by the nearest value.
fn mask(received: &Tensor, h: usize, w: usize) -> Result<Tensor> {
    let mask = received.gt(THRESHOLD)?.to_dtype(DType::F32)?;
    let (_, rows, columns) = mask.dims3()?;
    let nearest = |from: usize, to: usize| {
        let place = (0..to).map(|at| (at * from / to) as u32);
        Tensor::from_iter(place, mask.device())
    };
    mask.index_select(&nearest(rows, h)?, 1)?
        .index_select(&nearest(columns, w)?, 2)?
        .unsqueeze(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_mask_is_what_receives_more_than_the_average_enlarged() -> Result<()> {
        let received = Tensor::new(&[[[0.9f32, 1.1], [1.0, 3.0]]], &Device::Cpu)?;
        let rows = mask(&received, 4, 3)?.squeeze(0)?.squeeze(0)?;
        let expected = [
            // The middle of three columns is the first of two.
            [0.0f32, 0.0, 1.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, 1.0],
        ];
        assert_eq!(rows.to_vec2::<f32>()?, expected);
        Ok(())
    }
}
