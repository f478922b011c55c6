//! Diffusion against numbers printed by the release on small formulas: schedules, respacing, steps, losses, loops.

use super::steps::by_score;
use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::guidance::classifier::{ClassifierGuidance, condition_mean};
use fidrunner::diffusion::likelihood::bpd::bits_per_dim;
use fidrunner::diffusion::likelihood::terms::discretized_log_likelihood;
use fidrunner::diffusion::process::at::At;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Mean, Output, Reading, Variance};
use fidrunner::diffusion::process::respace::space_timesteps;
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::START;
use fidrunner::diffusion::samplers::draw::{Recipe, draw};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::diffusion::samplers::{ddim, ddpm};
use fidrunner::diffusion::training::loss::{Loss, Losses, Noised, training_losses};
use fidrunner::experiment::nets::arch::{NoiseSchedule, Prediction, Process};
use std::ops::ControlFlow;

const SHAPE: (usize, usize, usize, usize) = (2, 3, 4, 4);
const LEARNED: Output = Output {
    mean: Mean::Epsilon,
    variance: Variance::LearnedRange,
};

fn process(schedule: NoiseSchedule, timesteps: usize) -> Process {
    Process {
        schedule,
        timesteps,
        rescale_timesteps: false,
        predict: Prediction::Noise,
    }
}

fn linear(timesteps: usize, steps: &str) -> Schedule {
    Schedule::new(&process(NoiseSchedule::Linear, timesteps), steps).unwrap()
}

fn cosine(timesteps: usize, steps: &str) -> Schedule {
    Schedule::new(&process(NoiseSchedule::Cosine, timesteps), steps).unwrap()
}

/// sin(frequency · j) of the flat index j, times `scale`.
fn wave(frequency: f64, scale: f64) -> Tensor {
    let (n, c, h, w) = SHAPE;
    let values: Vec<f32> = (0..n * c * h * w)
        .map(|j| (scale * (frequency * j as f64).sin()) as f32)
        .collect();
    Tensor::from_vec(values, SHAPE, &Device::Cpu).unwrap()
}

fn toy(x: &Tensor, t: &Tensor) -> Result<Tensor> {
    let t = (t.reshape(((), 1, 1, 1))? * 1e-4)?;
    let eps = ((x * 2.0)?.sin()? * 0.5)?.broadcast_add(&t)?;
    let v = (x.cos()? * 0.3)?.broadcast_sub(&t)?;
    Tensor::cat(&[eps, v], 1)
}

fn toy_gradient(x: &Tensor, _: &Tensor) -> Result<Tensor> {
    let y = Tensor::new(&[1f32, 2.0], &Device::Cpu)?.reshape((2, 1, 1, 1))?;
    ((x * 3.0)?.sin()? * 0.2)?.broadcast_mul(&y)
}

/// Equal to within the last printed digit, or 2e-5.
fn printed(value: f64, text: &str) {
    let decimals = text.split('.').nth(1).map_or(0, str::len) as i32;
    let expected: f64 = text.parse().unwrap();
    let allowed = 10f64.powi(-decimals).max(2e-5);
    assert!((value - expected).abs() <= allowed, "{value} is not {text}");
}

fn all_printed(values: &[f32], texts: &[&str]) {
    assert_eq!(values.len(), texts.len());
    values
        .iter()
        .zip(texts)
        .for_each(|(value, text)| printed(f64::from(*value), text));
}

fn close(value: f64, expected: f64, relative: f64) {
    assert!(
        (value - expected).abs() <= relative * expected.abs(),
        "{value} is not {expected}"
    );
}

fn sum(x: &Tensor) -> f64 {
    let values: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
    values.iter().map(|v| f64::from(*v)).sum()
}

#[test]
fn schedules_have_the_printed_values() {
    let s = linear(1000, "");
    close(s.betas[1], 1.1991991991991993e-4, 1e-12);
    close(s.betas[500], 0.01005995995995996, 1e-12);
    close(s.alpha_bar[499], 0.07858724288177821, 1e-12);
    close(s.alpha_bar[999], 4.0358297653756754e-5, 1e-12);
    close(s.posterior_log_variance[0], -9.81672513529567, 1e-12);
    let s = cosine(1000, "");
    close(s.betas[0], 4.128422482196914e-5, 1e-11);
    close(s.betas[500], 0.003155691441585007, 1e-12);
    close(s.betas[998], 0.7499993929, 1e-9);
    assert_eq!(s.betas[999], 0.999);
    close(s.alpha_bar[499], 0.4938435904406382, 1e-12);
    close(s.alpha_bar[999], 2.4287669e-9, 1e-7);
    close(s.posterior_log_variance[0], -10.734082532465, 1e-12);
}

#[test]
fn respaced_schedules_have_the_printed_values() {
    let s = linear(1000, "250");
    let first = [
        1e-4,
        5.990655644756e-4,
        9.17602992817e-4,
        1.2360642699051e-3,
    ];
    (0..4).for_each(|i| close(s.betas[i], first[i], 1e-11));
    close(s.betas[249], 0.07751934499235, 1e-11);
    close(s.posterior_log_variance[0], -9.364628159803, 1e-11);
    let s = linear(1000, "ddim25");
    close(s.betas[0], 1e-4, 1e-11);
    close(s.betas[1], 0.02013508946, 1e-9);
    close(s.betas[2], 0.05090024, 1e-7);
    close(s.betas[24], 0.53260182305, 1e-10);
}

#[test]
fn kept_timesteps_are_the_printed_ones() {
    let begins = |total, spec: &str, first: &[usize]| {
        let kept = space_timesteps(total, spec).unwrap();
        assert_eq!(&kept[..first.len()], first, "{spec}");
        kept
    };
    let kept = begins(1000, "100", &[0, 10, 20, 30, 40, 50, 61, 71]);
    assert_eq!((kept.len(), kept[99]), (100, 999));
    let kept = begins(1000, "27", &[0, 38, 77, 115, 154]);
    assert_eq!((kept.len(), kept[26]), (27, 999));
    let kept = begins(1000, "ddim27", &[0, 38, 76]);
    assert_eq!((kept.len(), kept[26]), (27, 988));
    assert_eq!(begins(1000, "ddim334", &[0, 3, 6]).len(), 334);
    let kept = begins(300, "10,15,20", &[0, 11]);
    assert_eq!((kept.len(), &kept[9..12]), (45, &[99, 100, 107][..]));
    let kept = begins(1000, "90,60,60,20,20", &[0, 2, 4, 7, 9, 11, 13, 16]);
    assert_eq!(kept.len(), 250);
    let kept = begins(1000, "25", &[0, 42, 83, 125, 166]);
    assert_eq!(kept[24], 999);
    let kept = begins(1000, "250", &[0, 4, 8, 12]);
    assert_eq!(&kept[247..], &[991, 995, 999]);
    assert_eq!(*begins(1000, "ddim25", &[0, 40]).last().unwrap(), 960);
    let kept = begins(1000, "10,10,10", &[0]);
    assert_eq!((kept[10], kept[20], kept[29]), (334, 667, 999));
    assert_eq!(space_timesteps(7, "").unwrap(), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn impossible_steps_are_refused_in_words() {
    let message = |spec: &str| space_timesteps(1000, spec).unwrap_err().to_string();
    assert!(
        message("ddim999").contains("ddim500 and ddim1000"),
        "{}",
        message("ddim999")
    );
    assert!(message("ddim2000").contains("ddim1000 is possible"));
    assert!(message("1001").contains("0 to 1000 are allowed"));
    assert!(message("500,600").contains("section 1"));
    assert!(message("ten").contains("\"ten\" is not a whole number"));
    assert!(message("10,,5").contains("not a whole number"));
    assert!(message("-5").contains("not a whole number"));
    assert!(message("0").contains("keeps no step"));
    assert!(message("ddim").contains("not a whole number"));
    let one = Schedule::new(&process(NoiseSchedule::Linear, 1000), "1");
    assert!(one.unwrap_err().to_string().contains("2 to 1000"));
    let short = Schedule::new(&process(NoiseSchedule::Linear, 10), "");
    assert!(short.unwrap_err().to_string().contains("21 timesteps"));
    assert!(Schedule::new(&process(NoiseSchedule::Cosine, 0), "").is_err());
}

#[test]
fn the_net_sees_the_original_clock() {
    assert_eq!(linear(1000, "250").timestep(200), 802.0);
    assert_eq!(linear(1000, "ddim25").timestep(20), 800.0);
    let rescaled = Process {
        rescale_timesteps: true,
        ..process(NoiseSchedule::Linear, 4000)
    };
    let s = Schedule::new(&rescaled, "100").unwrap();
    assert_eq!((s.timestep(0), s.timestep(99)), (0.0, 999.75));
}

/// Respacing, two places, and the sums over mean, log-variance, x0, guided mean, guided x0, a DDIM step and one in reverse.
const TOY_STEPS: [(&str, [usize; 2], [&str; 7]); 3] = [
    (
        "",
        [0, 700],
        [
            "19.4465", "-659.302", "5.46220", "19.3999", "-34.3387", "19.5166", "20.2972",
        ],
    ),
    (
        "250",
        [0, 200],
        [
            "19.1148", "-578.233", "3.33668", "18.9068", "-83.4751", "19.4277", "20.8902",
        ],
    ),
    (
        "ddim25",
        [0, 20],
        [
            "15.9034", "-478.685", "3.36500", "14.3506", "-82.0480", "18.2566", "26.7599",
        ],
    ),
];

#[test]
fn toy_steps_have_the_printed_sums() {
    for (steps, places, expected) in TOY_STEPS {
        let s = linear(1000, steps);
        let at = At::Each(&places);
        let x = wave(0.11, 1.5);
        let t = s.clock(at, 2, &Device::Cpu).unwrap();
        let reading = Reading {
            schedule: &s,
            output: LEARNED,
            clamp: Clamp::Unit,
        };
        let posterior = reading.posterior(&toy(&x, &t).unwrap(), &x, at).unwrap();
        let pull = toy_gradient(&x, &t).unwrap();
        let guided = by_score(&s, &places, [&posterior.x0, &x, &pull]);
        let sums = [
            sum(&posterior.mean),
            sum(&posterior.log_variance),
            sum(&posterior.x0),
            sum(&condition_mean(&posterior, &pull).unwrap()),
            sum(&guided),
            sum(&ddim::step(&s, &x, &guided, at, 0.0, None).unwrap()),
            sum(&ddim::reverse(&s, &x, &posterior.x0, at).unwrap()),
        ];
        sums.iter()
            .zip(expected)
            .for_each(|(sum, text)| printed(*sum, text));
        // Step 0 adds no noise, whatever stands beside it in the batch.
        let mean = &posterior.mean;
        let drawn = ddpm::step(mean, &posterior.log_variance, &wave(0.71, 1.0), at).unwrap();
        let first = |x: &Tensor| {
            x.get(0)
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        };
        assert_eq!(first(&drawn), first(mean));
        assert_ne!(sum(&drawn), sum(mean));
    }
}

fn losses(loss: Loss, s: &Schedule, output: Output) -> Losses {
    let (x0, noise) = (wave(0.23, 1.0), wave(0.71, 1.0));
    let places = [0, s.len() * 7 / 10];
    let batch = Noised::new(s, &x0, &noise, &places).unwrap();
    let t = s.clock(At::Each(&places), 2, &Device::Cpu).unwrap();
    let answer = toy(&batch.x, &t).unwrap();
    training_losses(loss, s, output, &batch, &answer).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.to_vec1().unwrap()
}

#[test]
fn losses_have_the_printed_values() {
    let (full, half) = (linear(1000, ""), linear(500, ""));
    let l = losses(Loss::Mse, &full, LEARNED);
    all_printed(&values(&l.mse.unwrap()), &[".591008", ".107169"]);
    all_printed(&values(&l.vb.unwrap()), &["2.05271", ".00110881"]);
    all_printed(&values(&l.loss), &["2.643718", ".10827781"]);
    let l = losses(Loss::Mse, &half, LEARNED);
    all_printed(&values(&l.mse.unwrap()), &[".590888", ".102351"]);
    all_printed(&values(&l.vb.unwrap()), &["2.54117", ".0021503"]);
    let l = losses(Loss::RescaledMse, &half, LEARNED);
    all_printed(&values(&l.vb.unwrap()), &["1.27059", ".00107515"]);
    let l = losses(Loss::RescaledKl, &full, LEARNED);
    all_printed(&values(&l.loss), &["2052.71", "1.10881"]);
    let l = losses(Loss::RescaledKl, &half, LEARNED);
    all_printed(&values(&l.loss), &["1270.59", "1.07515"]);
    let l = losses(Loss::Kl, &full, LEARNED);
    all_printed(&values(&l.loss), &["2.05271", ".00110881"]);
    let start = Output {
        mean: Mean::StartX,
        ..LEARNED
    };
    let l = losses(Loss::Mse, &full, start);
    all_printed(&values(&l.mse.unwrap()), &[".0947222", ".611528"]);
}

#[test]
fn discretized_likelihood_has_the_printed_values() {
    let one = |v: f32| Tensor::new(&[[v]], &Device::Cpu).unwrap();
    for (x, mean, log_scale, text) in [
        (0.0, 0.0, -3.0, "-2.7680936"),
        (-1.0, -0.98, -4.0, "-1.6600113"),
        (1.0, 0.98, -4.0, "-1.6600113"),
        (0.5, -0.5, -5.0, "-27.6310211"),
    ] {
        let log_p = discretized_log_likelihood(&one(x), &one(mean), &one(log_scale)).unwrap();
        printed(sum(&log_p), text);
    }
}

#[test]
fn bits_per_dimension_are_the_printed_ones() {
    let s = cosine(1000, "10");
    let reading = Reading {
        schedule: &s,
        output: LEARNED,
        clamp: Clamp::Unit,
    };
    let noise = |_| Ok(wave(0.71, 1.0));
    let x0 = wave(0.23, 1.0);
    let mut ticks = 0;
    let bits = bits_per_dim(reading, &x0, &toy, &noise, &mut |_| {
        ticks += 1;
        ControlFlow::Continue(())
    })
    .unwrap()
    .unwrap();
    assert_eq!(ticks, 10);
    all_printed(&values(&bits.total), &["11.842818", "11.139257"]);
    let vb = [
        ".034508", ".078274", ".085365", ".10915", ".16127", ".24158", ".37909", ".70934",
        "8.5487", "1.4955",
    ];
    all_printed(&values(&bits.vb.get(0).unwrap()), &vb);
    assert_eq!(bits.mse.dims(), [2, 10]);
    assert_eq!(bits.xstart_mse.dims(), [2, 10]);
}

#[test]
fn guided_loops_end_at_the_printed_images() {
    let s = linear(1000, "10");
    let guide = ClassifierGuidance::with_gradient(1.0, toy_gradient);
    let noise = |step| Ok(wave(if step == START { 0.3 } else { 0.71 }, 1.0));
    for (method, first, total) in [
        (Method::Ddpm, ["-.158448", "1.0", ".999999"], "-2.55373"),
        (
            Method::Ddim { eta: 0.0 },
            ["-.592516", ".992309", ".992254"],
            "10.0663",
        ),
    ] {
        let recipe = Recipe {
            reading: Reading {
                schedule: &s,
                output: LEARNED,
                clamp: Clamp::Unit,
            },
            method: &method,
            guidance: Some(&guide),
        };
        let go_on = &mut |_| ControlFlow::Continue(());
        let images = draw(&recipe, &toy, &noise, go_on).unwrap().unwrap();
        let flat: Vec<f32> = images.flatten_all().unwrap().to_vec1().unwrap();
        let first_three: Vec<f64> = flat[..3].iter().map(|v| f64::from(*v)).collect();
        first_three.iter().zip(first).for_each(|(v, text)| {
            // "1.0" is printed short: the pixel lies within 2e-5 of it.
            assert!(
                (v - text.parse::<f64>().unwrap()).abs() <= 2e-5,
                "{v} is not {text}"
            )
        });
        printed(sum(&images), total);
    }
}
