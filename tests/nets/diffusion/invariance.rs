//! An image depends on its seed and its number alone: not on the batch, the order, the part it is resumed in, or the threads.

use crate::support::process::on_threads;
use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::guidance::classifier::{ClassifierGuidance, class_gradient};
use fidrunner::diffusion::guidance::rule::Guidance;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Output, Reading};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::process::timesteps::Timesteps;
use fidrunner::diffusion::random::labels::{Rule, label};
use fidrunner::diffusion::random::noise::{Noise, START};
use fidrunner::diffusion::samplers::draw::{Recipe, draw, to_u8};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::file::experiment::{Sample, Sampler, ScheduleSampler, Steps};
use fidrunner::experiment::nets::arch::{Answer, NoiseSchedule, Prediction, Process};
use std::ops::ControlFlow;

const SIDE: usize = 5;
const CLASSES: u32 = 7;

fn process() -> Process {
    Process {
        schedule: NoiseSchedule::Cosine,
        timesteps: 1000,
        rescale_timesteps: false,
        predict: Prediction::Noise,
    }
}

/// A net without weights: eps and v from x and t.
fn toy(x: &Tensor, t: &Tensor) -> Result<Tensor> {
    let t = (t.reshape(((), 1, 1, 1))? * 1e-4)?;
    let eps = ((x * 2.0)?.sin()? * 0.5)?.broadcast_add(&t)?;
    Tensor::cat(&[eps, (x.cos()? * 0.3)?], 1)
}

/// A classifier without weights: log-probabilities of each image's own pixels.
fn toy_log_probs(x: &Tensor, _: &Tensor) -> Result<Tensor> {
    let logits = x.flatten_from(1)?.narrow(1, 0, CLASSES as usize)?;
    candle_nn::ops::log_softmax(&(logits * 3.0)?, 1)
}

/// The bytes of each image, drawn together.
fn images(numbers: &[u64], sampler: Sampler) -> Vec<(u64, Vec<f32>)> {
    let schedule = Schedule::new(&process(), "6").unwrap();
    let labels: Vec<u32> = numbers
        .iter()
        .map(|&i| label(&Rule::Random, 3, i, CLASSES).unwrap())
        .collect();
    let labels = Tensor::new(labels, &Device::Cpu).unwrap();
    let guide = ClassifierGuidance::new(2.0, &toy_log_probs, &labels);
    let sample = Sample {
        eta: 0.5,
        churn: 2.0,
        threshold: Some(0.9),
        ..Sample::plain(sampler, Steps::Count(6), numbers.len())
    };
    let method = Method::new(&sample, &process()).unwrap();
    let recipe = Recipe {
        reading: Reading {
            schedule: &schedule,
            output: Output::of(&process(), Answer::MeanAndVariance),
            clamp: Clamp::Unit,
        },
        method: &method,
        guidance: Some(&guide),
    };
    let noise = Noise::new(3);
    let shape = (3, SIDE, SIDE);
    let drawn = draw(
        &recipe,
        &toy,
        &|step| noise.tensor(numbers, step, shape, &Device::Cpu),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap()
    .unwrap();
    let rows: Vec<Vec<f32>> = drawn.flatten_from(1).unwrap().to_vec2().unwrap();
    numbers.iter().copied().zip(rows).collect()
}

fn sorted(mut all: Vec<(u64, Vec<f32>)>) -> Vec<(u64, Vec<f32>)> {
    all.sort_by_key(|(number, _)| *number);
    all
}

#[test]
fn images_are_the_same_for_any_batch_size_order_and_resume_point() {
    for sampler in Sampler::ALL {
        let together = images(&(0..11).collect::<Vec<_>>(), sampler);
        for batch in [1, 2, 4, 7] {
            let parts = (0..11u64).collect::<Vec<_>>();
            let parts: Vec<_> = parts
                .chunks(batch)
                .flat_map(|c| images(c, sampler))
                .collect();
            assert_eq!(parts, together, "{sampler:?} in batches of {batch}");
        }
        let backwards = images(&(0..11).rev().collect::<Vec<_>>(), sampler);
        assert_eq!(sorted(backwards), together);
        assert_eq!(images(&[8, 9, 10], sampler), together[8..], "resumed at 8");
        assert_ne!(together[0].1, together[1].1);
    }
}

#[test]
fn noise_is_the_same_for_any_number_of_threads() {
    let numbers: Vec<u64> = (0..33).map(|i| i * 7).collect();
    let fill = |threads| {
        let noise = Noise::new(1);
        let tensor = on_threads(threads, || {
            noise.tensor(&numbers, 4, (3, SIDE, SIDE), &Device::Cpu)
        });
        tensor
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    assert_eq!(fill(1), fill(2));
    assert_eq!(fill(1), fill(5));
    let each = 3 * SIDE * SIDE;
    let mut alone = vec![0f32; each];
    Noise::new(1).normal(numbers[20], 4, &mut alone);
    assert_eq!(alone, fill(3)[20 * each..21 * each]);
}

#[test]
fn noise_differs_by_seed_purpose_image_and_step() {
    let first = |noise: Noise, image, step| {
        let mut out = [0f32; 4];
        noise.normal(image, step, &mut out);
        out
    };
    let here = first(Noise::new(1), 2, START);
    assert_eq!(here, first(Noise::new(1), 2, START));
    assert_ne!(here, first(Noise::new(2), 2, START));
    assert_ne!(here, first(Noise::apart(1, "train"), 2, START));
    assert_ne!(here, first(Noise::new(1), 3, START));
    assert_ne!(here, first(Noise::new(1), 2, START + 1));
    assert_ne!(here, first(Noise::new(1), u64::MAX, START));
}

#[test]
fn noise_is_standard_normal() {
    let mut values = vec![0f32; 200_001];
    Noise::new(9).normal(0, 0, &mut values);
    let n = values.len() as f64;
    let moment = |k| values.iter().map(|v| f64::from(*v).powi(k)).sum::<f64>() / n;
    for (k, expected, error) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        // Five standard errors of each moment.
        assert!(
            (moment(k) - expected).abs() < 5.0 * f64::sqrt(error / n),
            "moment {k}"
        );
    }
    let pairs = values.windows(2).map(|w| f64::from(w[0]) * f64::from(w[1]));
    assert!(
        (pairs.sum::<f64>() / n).abs() < 5.0 / n.sqrt(),
        "neighbours are independent"
    );
}

#[test]
fn labels_follow_their_rule() {
    let of = |rule: &Rule, i| label(rule, 5, i, CLASSES).unwrap();
    let balanced: Vec<u32> = (5..9).map(|i| of(&Rule::Balanced, i)).collect();
    assert_eq!(balanced, [5, 6, 0, 1]);
    let list = Rule::Cycle(vec![4, 2, 2]);
    let cycled: Vec<u32> = (0..5).map(|i| of(&list, i)).collect();
    assert_eq!(cycled, [4, 2, 2, 4, 2]);
    let mut counts = [0u32; CLASSES as usize];
    (0..7000).for_each(|i| counts[of(&Rule::Random, i) as usize] += 1);
    assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
    assert_eq!(of(&Rule::Random, 77), of(&Rule::Random, 77));
    let outside = label(&Rule::Cycle(vec![7]), 5, 0, CLASSES).unwrap_err();
    assert!(outside.to_string().contains("class 7 is outside 0..=6"));
    assert!(label(&Rule::Cycle(vec![]), 5, 0, CLASSES).is_err());
    assert!(label(&Rule::Balanced, 5, 0, 0).is_err());
}

#[test]
fn timesteps_are_a_function_of_seed_step_and_history() {
    let uniform = Timesteps::new(ScheduleSampler::Uniform, 50);
    let drawn = uniform.draw(1, 9, 64);
    assert_eq!(drawn, uniform.draw(1, 9, 64));
    assert_eq!(drawn.places[..10], uniform.draw(1, 9, 10).places);
    assert_ne!(drawn.places, uniform.draw(1, 10, 64).places);
    assert!(drawn.places.iter().all(|i| *i < 50));
    assert!(drawn.weights.iter().all(|w| *w == 1.0));
}

#[test]
fn loss_second_moment_prefers_steps_with_large_losses_and_resumes() {
    let steps = 4;
    let mut learned = Timesteps::new(ScheduleSampler::LossSecondMoment, steps);
    let all: Vec<usize> = (0..steps).collect();
    for _ in 0..9 {
        learned.update(&all, &[9.0, 9.0, 9.0, 9.0]);
    }
    assert_eq!(
        learned.probabilities(),
        [0.25; 4],
        "9 losses a step are not enough"
    );
    for _ in 0..10 {
        learned.update(&all, &[1.0, 1.0, 1.0, 5.0]);
    }
    let p = learned.probabilities();
    let expected = 5.0 / 8.0 * 0.999 + 0.001 / 4.0;
    assert!(
        (p[3] - expected).abs() < 1e-12,
        "old losses are forgotten: {p:?}"
    );
    let drawn = learned.draw(2, 0, 4000);
    let share = drawn.places.iter().filter(|i| **i == 3).count() as f64 / 4000.0;
    assert!((share - expected).abs() < 0.04, "{share}");
    for (i, weight) in drawn.places.iter().zip(&drawn.weights) {
        assert!((f64::from(*weight) - 1.0 / (4.0 * p[*i])).abs() < 1e-6);
    }
    let mut resumed = Timesteps::new(ScheduleSampler::LossSecondMoment, steps);
    resumed.restore(learned.history().clone()).unwrap();
    assert_eq!(resumed.draw(2, 1, 100), learned.draw(2, 1, 100));
    let mut other = Timesteps::new(ScheduleSampler::LossSecondMoment, 5);
    assert!(other.restore(learned.history().clone()).is_err());
}

/// Four images by DDPM over six steps, with the given net and guide.
fn attempt(
    denoise: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>,
    guidance: Option<&dyn Guidance>,
    tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Tensor>> {
    let schedule = Schedule::new(&process(), "6")?;
    let recipe = Recipe {
        reading: Reading {
            schedule: &schedule,
            output: Output::of(&process(), Answer::MeanAndVariance),
            clamp: Clamp::Unit,
        },
        method: &Method::Ddpm,
        guidance,
    };
    let noise = |step| Noise::new(0).tensor(&[0, 1, 2, 3], step, (3, SIDE, SIDE), &Device::Cpu);
    draw(&recipe, denoise, &noise, tick)
}

#[test]
fn an_answer_that_is_not_finite_stops_with_step_timestep_and_scale() {
    let broken = |x: &Tensor, t: &Tensor| {
        let bad = t.to_vec1::<f32>()?[0] < 500.0;
        toy(x, t)? * if bad { f64::NAN } else { 1.0 }
    };
    let go_on = &mut |_| ControlFlow::Continue(());
    let message = attempt(&broken, None, go_on).unwrap_err().to_string();
    assert!(
        message
            .contains("the net's answer is not finite at step 4 of 6 (timestep 400, no guidance)"),
        "{message}"
    );
    let steep = ClassifierGuidance::with_gradient(7.5, |x, _| x * f64::INFINITY);
    let message = attempt(&toy, Some(&steep), go_on).unwrap_err().to_string();
    assert!(
        message.contains(
            "guidance gradient is not finite at step 1 of 6 (timestep 999, guidance scale 7.5)"
        ),
        "{message}"
    );
}

#[test]
fn a_draw_can_be_stopped_after_any_step() {
    let mut seen = Vec::new();
    let stopped = attempt(&toy, None, &mut |done| {
        seen.push(done);
        match done {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert!(stopped.unwrap().is_none());
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn a_net_with_the_wrong_channels_is_named() {
    let narrow = |x: &Tensor, _: &Tensor| Ok(x.clone());
    let go_on = &mut |_| ControlFlow::Continue(());
    let message = attempt(&narrow, None, go_on).unwrap_err().to_string();
    assert!(
        message.contains("[4, 3, 5, 5]") && message.contains("learn_sigma"),
        "{message}"
    );
}

#[test]
fn the_class_gradient_belongs_to_each_image_alone() {
    let x = Noise::new(4)
        .tensor(&[0, 1, 2], 0, (3, SIDE, SIDE), &Device::Cpu)
        .unwrap();
    let labels = Tensor::new(&[1u32, 0, 6], &Device::Cpu).unwrap();
    let t = Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu).unwrap();
    let together = class_gradient(&toy_log_probs, &labels, &x, &t).unwrap();
    for i in 0..3 {
        let one = |tensor: &Tensor| tensor.narrow(0, i, 1).unwrap();
        let alone = class_gradient(&toy_log_probs, &one(&labels), &one(&x), &one(&t)).unwrap();
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(flat(&alone), flat(&one(&together)));
    }
}

#[test]
fn pixels_are_truncated_to_bytes_in_rows_of_colours() {
    let values = [-1.2f32, -1.0, 0.0, 0.9999, 1.0, 1.5];
    let x = Tensor::new(&values, &Device::Cpu)
        .unwrap()
        .reshape((1, 3, 1, 2))
        .unwrap();
    let bytes = to_u8(&x).unwrap();
    assert_eq!(bytes.dims(), [1, 1, 2, 3]);
    let bytes: Vec<u8> = bytes.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(bytes, [0, 127, 255, 0, 254, 255]);
}

#[test]
fn a_seed_means_the_same_numbers_in_every_version() {
    let mut out = [0f32; 3];
    Noise::new(0).normal(5, 2, &mut out);
    assert_eq!(out, [-0.10567468, 0.82434195, -0.39197338]);
    let labels: Vec<u32> = (0..8)
        .map(|i| label(&Rule::Random, 0, i, 1000).unwrap())
        .collect();
    assert_eq!(labels, [240, 441, 919, 946, 47, 95, 19, 826]);
    let places = Timesteps::new(ScheduleSampler::Uniform, 1000)
        .draw(0, 3, 5)
        .places;
    assert_eq!(places, [67, 667, 832, 258, 889]);
}
