//! A batch of images by the sampler that a recipe names, and images as bytes.

use crate::diffusion::guidance::finite::Checks;
use crate::diffusion::guidance::rule::Guidance;
use crate::diffusion::process::posterior::{Field, Reading};
use crate::diffusion::random::noise::START;
use crate::diffusion::samplers::guided::Guided;
use crate::diffusion::samplers::method::Method;
use crate::diffusion::samplers::sampler::draw_with;
use candle_core::{DType, Result, Tensor};
use std::ops::ControlFlow;

/// How a batch is drawn.
pub struct Recipe<'a> {
    pub reading: Reading<'a>,
    pub method: &'a Method,
    /// None draws unguided and runs no classifier.
    pub guidance: Option<&'a dyn Guidance>,
}

/// Images [n, c, h, w] of about [-1, 1], or None when `tick` broke off.
/// `denoise` (x, t) → [n, c or 2c, h, w]; `noise` (step id) → [n, c, h, w], with `START` for x_T and `1 + k` for the k-th step;
/// `tick` (k) is called after each step.
///
/// # Errors
/// Those of the nets, and answers, gradients or images that are not finite.
pub fn draw(
    recipe: &Recipe,
    denoise: &Field,
    noise: &dyn Fn(u64) -> Result<Tensor>,
    tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Tensor>> {
    let net = Guided {
        reading: recipe.reading,
        net: denoise,
        guidance: recipe.guidance,
        checks: Checks::default(),
    };
    draw_with(recipe.method.start().as_mut(), &net, noise, tick)
}

/// `noise` as `draw` asks for it, with what the steps add scaled by `temperature` and x_T left as it is.
pub fn tempered(
    temperature: f64,
    noise: impl Fn(u64) -> Result<Tensor>,
) -> impl Fn(u64) -> Result<Tensor> {
    move |step| match step {
        START => noise(START),
        // Exactly the untempered images at 1.
        _ if temperature == 1.0 => noise(step),
        _ => noise(step)? * temperature,
    }
}

/// images [n, c, h, w] of [-1, 1] → u8 [n, h, w, c], truncated as the release does.
pub fn to_u8(images: &Tensor) -> Result<Tensor> {
    ((images + 1.0)? * 127.5)?
        .clamp(0.0, 255.0)?
        .to_dtype(DType::U8)?
        .permute((0, 2, 3, 1))?
        .contiguous()
}
