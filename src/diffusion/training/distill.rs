//! What a student of progressive distillation learns ("Progressive Distillation for Fast Sampling of Diffusion Models",
//! arXiv:2202.00512, algorithm 2): the x0 whose one DDIM step is two of the teacher's.

use crate::diffusion::likelihood::terms::mean_flat;
use crate::diffusion::process::at::At;
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::samplers::ddim;
use candle_core::{Result, Tensor};

/// A teacher: (x [n, c, h, w], the step of its schedule at which each image stands, `[n]`) → its x0 [n, c, h, w].
pub type Teacher<'a> = dyn Fn(&Tensor, &[usize]) -> Result<Tensor> + 'a;

/// Where a student's step `place` begins among the steps of a teacher of twice as many, of which it makes two.
pub fn begun(place: usize) -> usize {
    2 * place + 1
}

/// x~ [n, c, h, w] for `x` [n, c, h, w] at the student's steps `places` `[n]`: the x0 with which one DDIM step (eta 0) leads
/// where two of the teacher's lead. `schedule` is the teacher's, of twice as many steps as the student's, on which
/// [`begun`] says where a student's step begins.
///
/// Algorithm 2 has x~ = (z'' - (σ''/σ) z) / (α'' - (σ''/σ) α), the difference of two nearly equal images where a step is
/// short. With z'' put in, it is a mean of the teacher's two answers, w x1 + (1 - w) x2 with
/// w = σ'' (α'/σ' - α/σ) / (α'' - σ'' α/σ), which lies between 0 and 1: the better one for numbers, and in the range of
/// images where both answers are. At the last step α'' = 1 and σ'' = 0, so that w = 0: x~ is the second answer.
///
/// # Errors
/// Those of the teacher and of the device.
pub fn two_steps_in_one(
    schedule: &Schedule,
    x: &Tensor,
    places: &[usize],
    teacher: &Teacher,
) -> Result<Tensor> {
    let first: Vec<usize> = places.iter().map(|&place| begun(place)).collect();
    let second: Vec<usize> = places.iter().map(|&place| 2 * place).collect();
    let x1 = teacher(x, &first)?;
    let middle = ddim::step(schedule, x, &x1, At::Each(&first), 0.0, None)?;
    let x2 = teacher(&middle, &second)?;
    let at = At::Each(&second);
    let share = |i: usize| share_of_first(schedule, i);
    at.scale(&x1, share)? + at.scale(&x2, |i| 1.0 - share(i))?
}

/// w of two steps, the second of which begins at step `i`.
fn share_of_first(schedule: &Schedule, i: usize) -> f64 {
    let ratio = |i: usize| 1.0 / schedule.recipm1[i];
    let end = schedule.alpha_bar_prev[i];
    let (alpha, sigma) = (end.sqrt(), (1.0 - end).sqrt());
    sigma * (ratio(i) - ratio(i + 1)) / (alpha - sigma * ratio(i + 1))
}

/// Losses `[n]` of a student's `x0` against `target`, both [n, c, h, w]: the squared error, averaged over each image,
/// unweighted and times `weight` (alpha_bar) of the step at which the image stands on `schedule` (section 4).
///
/// # Errors
/// Those of the device.
pub fn losses(
    schedule: &Schedule,
    (x0, target): (&Tensor, &Tensor),
    at: At,
    weight: impl Fn(f64) -> f64,
) -> Result<(Tensor, Tensor)> {
    let mse = mean_flat(&(x0 - target)?.sqr()?)?;
    let weighted = at.scale(&mse, |i| weight(schedule.alpha_bar[i]))?;
    Ok((mse, weighted))
}
