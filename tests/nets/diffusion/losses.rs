//! Gradients of the training losses against finite differences, and what each loss teaches.

use candle_core::{Device, Tensor, Var};
use fidrunner::diffusion::process::posterior::{Mean, Output, Variance};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::training::loss::{Loss, Noised, training_losses, velocity_weight};
use fidrunner::experiment::nets::arch::{NoiseSchedule, Prediction, Process};

const SHAPE: (usize, usize, usize, usize) = (3, 3, 2, 2);

/// f64, so that differences are exact enough.
fn wave(frequency: f64, shape: (usize, usize, usize, usize)) -> Tensor {
    let (n, c, h, w) = shape;
    let values: Vec<f64> = (0..n * c * h * w)
        .map(|j| (frequency * j as f64).sin())
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// The summed loss of an answer, and its gradient.
fn loss_of(loss: Loss, output: Output, answer: &Tensor) -> (f64, Vec<f64>) {
    let process = Process {
        schedule: NoiseSchedule::Cosine,
        timesteps: 1000,
        rescale_timesteps: false,
        predict: Prediction::Noise,
    };
    let schedule = Schedule::new(&process, "20").unwrap();
    // The ends of the range reach the outer levels of the discretised likelihood.
    let x0 = wave(0.23, SHAPE).round().unwrap();
    let noise = wave(0.71, SHAPE);
    let batch = Noised::new(&schedule, &x0, &noise, &[0, 3, 14]).unwrap();
    let answer = Var::from_tensor(answer).unwrap();
    let losses = training_losses(loss, &schedule, output, &batch, answer.as_tensor()).unwrap();
    let total = losses.loss.sum_all().unwrap();
    let gradient = total
        .backward()
        .unwrap()
        .remove(answer.as_tensor())
        .unwrap();
    let gradient = gradient.flatten_all().unwrap().to_vec1().unwrap();
    (total.to_scalar().unwrap(), gradient)
}

/// Central differences of every element.
fn differences(loss: Loss, output: Output, answer: &Tensor) -> Vec<f64> {
    let values: Vec<f64> = answer.flatten_all().unwrap().to_vec1().unwrap();
    let moved = |j: usize, by: f64| {
        let mut values = values.clone();
        values[j] += by;
        let answer = Tensor::from_vec(values, answer.shape(), &Device::Cpu).unwrap();
        loss_of(loss, output, &answer).0
    };
    let step = 1e-6;
    (0..values.len())
        .map(|j| (moved(j, step) - moved(j, -step)) / (2.0 * step))
        .collect()
}

fn agree(gradient: &[f64], expected: &[f64]) {
    let largest = expected.iter().fold(0f64, |m, e| m.max(e.abs()));
    assert!(largest > 0.0);
    for (j, (g, e)) in gradient.iter().zip(expected).enumerate() {
        assert!(
            (g - e).abs() < 1e-6 * largest,
            "element {j}: {g} is not {e}"
        );
    }
}

#[test]
fn the_bound_has_the_gradient_of_its_differences() {
    for mean in [Mean::Epsilon, Mean::StartX, Mean::PreviousX] {
        for variance in [Variance::LearnedRange, Variance::Learned] {
            let output = Output { mean, variance };
            let answer = (wave(0.37, (3, 6, 2, 2)) * 0.4).unwrap();
            for loss in [Loss::Kl, Loss::RescaledKl] {
                let expected = differences(loss, output, &answer);
                agree(&loss_of(loss, output, &answer).1, &expected);
            }
        }
    }
}

#[test]
fn a_fixed_variance_learns_the_mean_by_squared_error() {
    for variance in [Variance::FixedLarge, Variance::FixedSmall] {
        let output = Output {
            mean: Mean::Epsilon,
            variance,
        };
        let answer = (wave(0.37, SHAPE) * 0.4).unwrap();
        for loss in [Loss::Mse, Loss::RescaledMse, Loss::Kl] {
            let expected = differences(loss, output, &answer);
            agree(&loss_of(loss, output, &answer).1, &expected);
        }
    }
}

#[test]
fn the_hybrid_loss_teaches_the_mean_by_squared_error_and_the_variance_by_the_bound() {
    let learned = Output {
        mean: Mean::Epsilon,
        variance: Variance::LearnedRange,
    };
    let fixed = Output {
        mean: Mean::Epsilon,
        variance: Variance::FixedLarge,
    };
    let answer = (wave(0.37, (3, 6, 2, 2)) * 0.4).unwrap();
    let hybrid = loss_of(Loss::Mse, learned, &answer).1;
    let bound = loss_of(Loss::Kl, learned, &answer).1;
    let mean = answer.narrow(1, 0, 3).unwrap().contiguous().unwrap();
    let squared = loss_of(Loss::Mse, fixed, &mean).1;
    for (j, value) in hybrid.iter().enumerate() {
        let (image, place) = (j / 24, j % 24);
        let expected = if place < 12 {
            squared[image * 12 + place]
        } else {
            bound[j]
        };
        assert_eq!(*value, expected, "element {j}");
    }
}

#[test]
fn weighted_for_velocity_every_mean_part_has_the_same_error() {
    let process = Process {
        schedule: NoiseSchedule::Cosine,
        timesteps: 1000,
        rescale_timesteps: false,
        predict: Prediction::Noise,
    };
    let schedule = Schedule::new(&process, "").unwrap();
    for i in [1usize, 200, 500, 900] {
        let a = schedule.alpha_bar[i];
        // A net that is off by `e` in the noise is off by this much in x0, in v and in x_{t-1}.
        let e = 0.3;
        let x0 = e * ((1.0 - a) / a).sqrt();
        let v = a.sqrt() * e + (1.0 - a).sqrt() * x0;
        let previous = schedule.posterior_x0[i] * x0;
        for (mean, error) in [
            (Mean::Epsilon, e),
            (Mean::StartX, x0),
            (Mean::PreviousX, previous),
        ] {
            let weight = velocity_weight(&schedule, mean, i);
            let got = weight * error * error;
            assert!(
                (got / (v * v) - 1.0).abs() < 1e-9,
                "{mean:?} at step {i}: {got} and {}",
                v * v
            );
        }
    }
    // Next to pure noise the weight stops growing.
    assert_eq!(velocity_weight(&schedule, Mean::Epsilon, 999), 100.0);
}
