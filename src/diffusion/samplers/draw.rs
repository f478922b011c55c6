//! A batch of images by the sampler that a recipe names, and images as bytes.

use crate::diffusion::guidance::rule::Guidance;
use crate::diffusion::process::posterior::{Field, Reading};
use crate::diffusion::random::noise::START;
use crate::diffusion::samplers::ddim::Ddim;
use crate::diffusion::samplers::ddpm::Ddpm;
use crate::diffusion::samplers::guided::Guided;
use crate::diffusion::samplers::sampler::{Sampler, draw_with};
use crate::experiment::file::experiment::Sampler as Name;
use candle_core::{DType, Result, Tensor};
use std::ops::ControlFlow;

/// How a batch is drawn.
pub struct Recipe<'a> {
    pub reading: Reading<'a>,
    pub sampler: Name,
    /// DDIM's noise, 0 to 1; DDPM has no use for it.
    pub eta: f64,
    /// None draws unguided and runs no classifier.
    pub guidance: Option<&'a dyn Guidance>,
}

impl Recipe<'_> {
    /// The samplers by name, new for a batch.
    fn sampler(&self) -> Box<dyn Sampler> {
        match self.sampler {
            Name::Ddpm => Box::new(Ddpm),
            Name::Ddim => Box::new(Ddim { eta: self.eta }),
        }
    }
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
    };
    draw_with(recipe.sampler().as_mut(), &net, noise, tick)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::process::at::At;
    use crate::diffusion::process::posterior::{Mean, Output, Reading, Variance};
    use crate::diffusion::process::schedule::Schedule;
    use crate::diffusion::samplers::ddim;
    use crate::experiment::nets::arch::{NoiseSchedule, Process};
    use candle_core::Device;

    /// Standard deviation of the toy data, N(0, SPREAD²) in every pixel: its best denoiser is known.
    const SPREAD: f64 = 0.5;

    /// Keeps the prediction of the step before, and extrapolates from both in the logarithm of signal to noise.
    #[derive(Default)]
    struct TwoPredictions(Option<Tensor>);

    impl Sampler for TwoPredictions {
        fn step(
            &mut self,
            net: &Guided,
            x: &Tensor,
            i: usize,
            _: &dyn Fn() -> Result<Tensor>,
        ) -> Result<Tensor> {
            let schedule = net.schedule();
            let x0 = net.x0(x, i)?;
            let log_ratio = |a: f64| 0.5 * (a / (1.0 - a)).ln();
            let aim = match self.0.replace(x0.clone()) {
                Some(before) if i > 0 => {
                    let [far, here, next] =
                        [i + 1, i, i - 1].map(|i| log_ratio(schedule.alpha_bar[i]));
                    (&x0 + ((&x0 - before)? * (0.5 * (next - here) / (here - far)))?)?
                }
                _ => x0,
            };
            ddim::step(schedule, x, &aim, At::All(i), 0.0, None)
        }
    }

    /// Asks the net again where a first step leads, and takes the step by the mean of both predictions.
    struct TwoEvaluations;

    impl Sampler for TwoEvaluations {
        fn step(
            &mut self,
            net: &Guided,
            x: &Tensor,
            i: usize,
            _: &dyn Fn() -> Result<Tensor>,
        ) -> Result<Tensor> {
            let (schedule, at) = (net.schedule(), At::All(i));
            let x0 = net.x0(x, i)?;
            let next = ddim::step(schedule, x, &x0, at, 0.0, None)?;
            if i == 0 {
                return Ok(next);
            }
            let mean = ((x0 + net.x0(&next, i - 1)?)? * 0.5)?;
            ddim::step(schedule, x, &mean, at, 0.0, None)
        }
    }

    /// How far the end of the way lies from where the exact flow leads, as a share of it.
    fn error(sampler: &mut dyn Sampler) -> Result<f64> {
        let process = Process {
            schedule: NoiseSchedule::Linear,
            timesteps: 1000,
            rescale_timesteps: false,
            predict_x0: true,
        };
        let schedule = Schedule::new(&process, "250")?;
        let place = |t: &Tensor| -> Result<usize> {
            let t = t.to_vec1::<f32>()?[0];
            let place = (0..schedule.len()).find(|&i| schedule.timestep(i) == t);
            place.ok_or_else(|| candle_core::Error::Msg(format!("timestep {t} was not kept")))
        };
        let variance = |i: usize| 1.0 - (1.0 - SPREAD * SPREAD) * schedule.alpha_bar[i];
        let denoise = |x: &Tensor, t: &Tensor| {
            let i = place(t)?;
            x * (schedule.alpha_bar[i].sqrt() * SPREAD * SPREAD / variance(i))
        };
        let net = Guided {
            reading: Reading {
                schedule: &schedule,
                output: Output {
                    mean: Mean::StartX,
                    variance: Variance::FixedSmall,
                },
                clip: false,
            },
            net: &denoise,
            guidance: None,
        };
        let noise = |_| Tensor::ones((1, 1, 1, 1), candle_core::DType::F32, &Device::Cpu);
        let go_on = &mut |_| ControlFlow::Continue(());
        let Some(end) = draw_with(sampler, &net, &noise, go_on)? else {
            candle_core::bail!("nothing stopped it")
        };
        let end = f64::from(end.flatten_all()?.to_vec1::<f32>()?[0]);
        let exact = SPREAD / variance(schedule.len() - 1).sqrt();
        Ok((end / exact - 1.0).abs())
    }

    #[test]
    fn samplers_that_remember_or_ask_twice_come_nearer_to_the_exact_flow() -> Result<()> {
        let plain = error(&mut Ddim { eta: 0.0 })?;
        let multistep = error(&mut TwoPredictions::default())?;
        let two_stage = error(&mut TwoEvaluations)?;
        assert!(multistep < plain / 3.0, "{multistep} and {plain}");
        assert!(two_stage < plain / 3.0, "{two_stage} and {plain}");
        Ok(())
    }
}
