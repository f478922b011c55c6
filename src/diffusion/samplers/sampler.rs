//! What a sampler is, and the loop over the steps of a schedule that drives one.

use crate::diffusion::random::noise::START;
use crate::diffusion::samplers::guided::Guided;
use candle_core::{Result, Tensor};
use std::ops::ControlFlow;

/// A way from x_T to images. One is made for every batch: what it remembers of earlier steps is that batch's. A step may
/// ask the net as often as it needs to, at any step of the schedule, and takes guidance in its own form.
pub trait Sampler {
    /// x_i [n, c, h, w] → x_{i-1}, for `i` of S - 1 down to 0. `noise` is this step's [n, c, h, w] of N(0, 1), the same
    /// however often it is called.
    ///
    /// # Errors
    /// Those of the net, of its guidance and of `noise`.
    fn step(
        &mut self,
        net: &Guided,
        x: &Tensor,
        i: usize,
        noise: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor>;
}

/// Images [n, c, h, w] of about [-1, 1], or None when `tick` broke off. `noise` (step id) → [n, c, h, w], with `START` for
/// x_T and `1 + k` for the k-th step; `tick` (k) is called after each step.
///
/// # Errors
/// Those of the sampler and of `noise`, and images that are not finite.
pub fn draw_with(
    sampler: &mut dyn Sampler,
    net: &Guided,
    noise: &dyn Fn(u64) -> Result<Tensor>,
    tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Tensor>> {
    let mut x = noise(START)?;
    for (done, i) in (0..net.schedule().len()).rev().enumerate() {
        let noise = || noise(START + 1 + done as u64);
        x = sampler.step(net, &x, i, &noise)?;
        net.finite(&x, i)?;
        if tick(done).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::process::at::At;
    use crate::diffusion::process::posterior::{Mean, Output, Reading, Variance};
    use crate::diffusion::process::schedule::Schedule;
    use crate::diffusion::samplers::ddim::{self, Ddim};
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
