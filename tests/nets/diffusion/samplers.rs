//! What can be asked of a sampler beside its steps: the variance and the temperature.

use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Output, Reading, Variance, mean_half};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::{Noise, START};
use fidrunner::diffusion::samplers::draw::{Recipe, draw, tempered};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::file::experiment::VarianceRule;
use fidrunner::experiment::nets::arch::{Answer, NoiseSchedule, Prediction, Process};
use std::ops::ControlFlow;

fn process() -> Process {
    Process {
        schedule: NoiseSchedule::Linear,
        timesteps: 1000,
        rescale_timesteps: false,
        predict: Prediction::Noise,
    }
}

/// x [n, 3, h, w] → [n, 6, h, w]; the variance half far from both ends of its range.
fn toy(x: &Tensor, _: &Tensor) -> Result<Tensor> {
    Tensor::cat(&[&(x * 0.5)?, &(x.cos()? * 0.3)?], 1)
}

/// Two images of three steps → every value.
fn images(asked: Option<VarianceRule>, temperature: f64) -> Vec<f32> {
    let schedule = Schedule::new(&process(), "3").unwrap();
    let own = Output::of(&process(), Answer::MeanAndVariance);
    let output = own.with(asked).unwrap();
    let recipe = Recipe {
        reading: Reading {
            schedule: &schedule,
            output,
            clamp: Clamp::Unit,
        },
        method: &Method::Ddpm,
        guidance: None,
    };
    let denoise = |x: &Tensor, t: &Tensor| {
        if output.learned() {
            toy(x, t)
        } else {
            mean_half(&toy(x, t)?, x)
        }
    };
    let noise = |step| Noise::new(4).tensor(&[0, 1], step, (3, 4, 4), &Device::Cpu);
    let noise = tempered(temperature, noise);
    let drawn = draw(
        &recipe,
        &denoise,
        &noise,
        &mut |_| ControlFlow::Continue(()),
    );
    let drawn = drawn.unwrap().unwrap();
    drawn.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_fixed_variance_leaves_the_mean_of_a_learned_net_alone() {
    let schedule = Schedule::new(&process(), "10").unwrap();
    let x = Noise::new(0)
        .tensor(&[0], START, (3, 4, 4), &Device::Cpu)
        .unwrap();
    let answer = toy(&x, &x).unwrap();
    let own = Output::of(&process(), Answer::MeanAndVariance);
    let read = |output: Output, answer: &Tensor| {
        let reading = Reading {
            schedule: &schedule,
            output,
            clamp: Clamp::Unit,
        };
        let at = fidrunner::diffusion::process::at::At::All(5);
        let posterior = reading.posterior(answer, &x, at).unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        (flat(&posterior.mean), flat(&posterior.log_variance))
    };
    let (mean, learned) = read(own, &answer);
    let half = mean_half(&answer, &x).unwrap();
    for (rule, variance, log) in [
        (
            VarianceRule::FixedLarge,
            Variance::FixedLarge,
            schedule.betas[5].ln(),
        ),
        (
            VarianceRule::FixedSmall,
            Variance::FixedSmall,
            schedule.posterior_log_variance[5],
        ),
    ] {
        let output = own.with(Some(rule)).unwrap();
        assert_eq!(output.variance, variance);
        let (same, fixed) = read(output, &half);
        assert_eq!(same, mean);
        assert!(fixed.iter().all(|v| *v == log as f32));
        assert_ne!(fixed, learned);
    }
    assert_eq!(own.with(None).unwrap(), own);
    assert_eq!(own.with(Some(VarianceRule::Learned)).unwrap(), own);
    let plain = Output::of(&process(), Answer::Mean);
    let refused = plain.with(Some(VarianceRule::Learned)).unwrap_err();
    assert!(refused.to_string().starts_with(
        "sample.variance = \"learned\", and the net has no variance half\nhint: use \"fixed_large\""
    ));
}

#[test]
fn temperature_scales_what_the_steps_add_and_not_where_they_start() {
    let noise = |step: u64| Tensor::full(step as f32 + 1.0, 1, &Device::Cpu);
    let one = |temperature: f64, step| -> f32 {
        let noise = tempered(temperature, noise)(step).unwrap();
        noise.to_vec1::<f32>().unwrap()[0]
    };
    assert_eq!(one(0.5, START), 1.0);
    assert_eq!(one(0.5, START + 3), 2.0);
    assert_eq!(images(None, 1.0), images(Some(VarianceRule::Learned), 1.0));
    assert_ne!(images(None, 1.0), images(None, 0.9));
    assert_ne!(
        images(Some(VarianceRule::FixedSmall), 1.0),
        images(Some(VarianceRule::FixedLarge), 1.0)
    );
    // Without noise the variance has nothing left to say.
    assert_eq!(
        images(Some(VarianceRule::FixedSmall), 0.0),
        images(Some(VarianceRule::FixedLarge), 0.0)
    );
}
