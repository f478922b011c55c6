//! A guided image is the same in any batch, by every rule; an interval that holds everything is none.

use crate::support::archs::process_of;
use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::guidance::classifier::{ClassifierGuidance, entropy_scaled_gradient};
use fidrunner::diffusion::guidance::combined::{Combined, Form};
use fidrunner::diffusion::guidance::rule::{Guidance, Point};
use fidrunner::diffusion::guidance::strength::Strength;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Output, Reading};
use fidrunner::diffusion::random::noise::Noise;
use fidrunner::diffusion::samplers::draw::{Recipe, draw};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::file::drawing::rules::{Apg, Course};
use fidrunner::experiment::file::experiment::{Sample, Sampler, Steps};
use fidrunner::experiment::nets::arch::{Answer, NoiseSchedule};
use std::ops::ControlFlow;

const SIDE: usize = 4;

/// A net without weights: eps and v from x and t.
fn toy(x: &Tensor, t: &Tensor) -> Result<Tensor> {
    let t = (t.reshape(((), 1, 1, 1))? * 1e-4)?;
    let eps = ((x * 2.0)?.sin()? * 0.5)?.broadcast_add(&t)?;
    Tensor::cat(&[eps, (x.cos()? * 0.3)?], 1)
}

/// Another one.
fn weaker(point: &Point, _: &Tensor) -> Result<Tensor> {
    toy(&(point.x * 0.7)?, point.t)
}

fn toy_log_probs(x: &Tensor, _: &Tensor) -> Result<Tensor> {
    let logits = x.flatten_from(1)?.narrow(1, 0, 5)?;
    candle_nn::ops::log_softmax(&(logits * 3.0)?, 1)
}

/// Every pixel of these images under the rule, drawn together.
fn images(numbers: &[u64], sampler: Sampler, rule: &dyn Guidance) -> Vec<f32> {
    let process = process_of(NoiseSchedule::Cosine, 1000);
    let sample = Sample::plain(sampler, Steps::Count(6), numbers.len());
    let method = Method::new(&sample, &process).unwrap();
    let schedule = method.schedule(&process, "6").unwrap();
    let recipe = Recipe {
        reading: Reading {
            schedule: &schedule,
            output: Output::of(&process, Answer::MeanAndVariance),
            clamp: Clamp::Unit,
        },
        method: &method,
        guidance: Some(rule),
    };
    let noise = |step| Noise::new(3).tensor(numbers, step, (3, SIDE, SIDE), &Device::Cpu);
    let go_on = &mut |_| ControlFlow::Continue(());
    let drawn = draw(&recipe, &toy, &noise, go_on).unwrap().unwrap();
    drawn.flatten_all().unwrap().to_vec1().unwrap()
}

/// What a rule makes of seven images, together and in batches of three.
fn check(name: &str, sampler: Sampler, with: &dyn Fn(&[u64]) -> Vec<f32>) {
    let all: Vec<u64> = (0..7).collect();
    let together = with(&all);
    let parts: Vec<f32> = all.chunks(3).flat_map(with).collect();
    assert_eq!(parts, together, "{name} by {sampler:?}");
}

#[test]
fn every_rule_gives_an_image_whatever_is_drawn_beside_it() {
    let apg = Apg {
        momentum: -0.5,
        norm: Some(2.0),
        parallel: 0.3,
    };
    let inside = Strength {
        clock: 1000.0,
        course: Course::Cosine,
        power: 2.0,
        interval: Some([200.0, 900.0]),
        ..Strength::constant(3.0, 1.0)
    };
    for sampler in Sampler::ALL {
        for form in [Form::Plain, Form::ZeroStar, Form::Apg(apg)] {
            for (strength, rescale) in [(Strength::constant(3.0, 1.0), 0.0), (inside, 0.7)] {
                check(&format!("{form:?}"), sampler, &|numbers| {
                    images(
                        numbers,
                        sampler,
                        &Combined::new(strength, form, rescale, &weaker),
                    )
                });
            }
        }
        check("entropy", sampler, &|numbers| {
            let labels: Vec<u32> = numbers.iter().map(|&i| i as u32 % 5).collect();
            let labels = Tensor::new(labels, &Device::Cpu).unwrap();
            let gradient =
                |x: &Tensor, t: &Tensor| entropy_scaled_gradient(&toy_log_probs, &labels, x, t);
            images(
                numbers,
                sampler,
                &ClassifierGuidance::with_gradient(2.0, gradient),
            )
        });
    }
    check("cfg++", Sampler::Ddim, &|numbers| {
        let strength = Strength::constant(0.6, 1.0);
        let rule = Combined::new(strength, Form::PlusPlus, 0.0, &weaker);
        images(numbers, Sampler::Ddim, &rule)
    });
}

#[test]
fn an_interval_of_everything_changes_nothing_and_one_of_nothing_guides_nothing() {
    let plain = Strength::constant(3.0, 1.0);
    let within = |interval| Strength {
        interval: Some(interval),
        ..plain
    };
    for sampler in Sampler::ALL {
        let of = |strength| {
            let rule = Combined::new(strength, Form::Plain, 0.0, &weaker);
            images(&[0, 1], sampler, &rule)
        };
        assert_eq!(of(within([0.0, 1000.0])), of(plain), "{sampler:?}");
        let idle = of(Strength::constant(1.0, 1.0));
        assert_eq!(of(within([1.0, 0.0])), idle, "{sampler:?}");
        assert_ne!(of(plain), idle, "{sampler:?}");
    }
}
