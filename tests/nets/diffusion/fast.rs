//! The samplers of few steps: against their authors' programs, and on a Gaussian whose flow is known in closed form.

use super::trajectories::World;
use crate::support::archs::process_of;
use crate::support::golden::{Case, cases, close, noise, thinned, values};
use candle_core::{DType, Device, Result, Tensor};
use fidrunner::diffusion::guidance::classifier::ClassifierGuidance;
use fidrunner::diffusion::guidance::rule::Guidance;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::continuous::Continuous;
use fidrunner::diffusion::process::edm::Sigmas;
use fidrunner::diffusion::process::level::Level;
use fidrunner::diffusion::process::posterior::{Mean, Output, Reading, Variance};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::samplers::draw::{Recipe, draw};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::file::experiment::{Sample, Sampler, Spacing, Steps};
use fidrunner::experiment::nets::arch::{NoiseSchedule, Prediction, Process};
use std::cell::RefCell;
use std::ops::ControlFlow;

const SHAPE: [usize; 4] = [2, 3, 32, 32];

fn process(case: &Case) -> Process {
    // EDM's cases on the cosine schedule do not name it.
    let linear = case.value["schedule"] == "linear" || case.name.contains("linear");
    let schedule = if linear {
        NoiseSchedule::Linear
    } else {
        NoiseSchedule::Cosine
    };
    process_of(schedule, 1000)
}

/// The `[sample]` table that a case stands for.
fn sample(case: &Case) -> Sample {
    let text = |field: &str| case.value[field].as_str().unwrap_or("");
    let sampler = match (text("sampler"), case.value["order"].as_u64()) {
        ("dpmpp", Some(2)) => Sampler::Dpmpp2m,
        ("dpmpp", Some(3)) => Sampler::Dpmpp3m,
        ("unipc", _) if text("variant") == "bh1" => Sampler::UniPc,
        ("unipc", _) => Sampler::UniPcBh2,
        ("edm", _) if text("solver") == "euler" => Sampler::Euler,
        ("edm", _) => Sampler::Heun,
        (other, order) => panic!("{}: sampler {other} of order {order:?}", case.name),
    };
    let spacing = match (text("skip"), text("discretization")) {
        ("time_uniform", _) => Spacing::Time,
        ("logSNR", _) => Spacing::LogSnr,
        ("time_quadratic", _) => Spacing::Quadratic,
        (_, "edm") => Spacing::Edm,
        (_, "iddpm") => Spacing::Iddpm,
        (skip, discretization) => panic!("{}: {skip} {discretization}", case.name),
    };
    let steps = case.value["steps"]
        .as_u64()
        .or(case.value["num_steps"].as_u64());
    Sample {
        spacing: Some(spacing),
        order: (text("sampler") == "unipc").then(|| case.value["order"].as_u64().unwrap() as usize),
        threshold: case.value["thresholding"].as_f64(),
        ..Sample::plain(sampler, Steps::Count(steps.unwrap() as usize), 2)
    }
}

fn images(world: &World, case: &Case) -> (Tensor, usize) {
    let (process, sample) = (process(case), sample(case));
    let method = Method::new(&sample, &process).unwrap();
    let schedule = method.schedule(&process, "").unwrap();
    let scale = case.value["scale"].as_f64().unwrap();
    let y = Tensor::new(&[3u32, 6], &Device::Cpu).unwrap();
    let log_probs = |x: &Tensor, t: &Tensor| world.classifier.log_probs(x, t);
    let guide = (scale != 0.0).then(|| ClassifierGuidance::new(scale, &log_probs, &y));
    let mean = match case.text("prediction") {
        "v" => Mean::Velocity,
        _ => Mean::Epsilon,
    };
    let recipe = Recipe {
        reading: Reading {
            schedule: &schedule,
            output: Output {
                mean,
                variance: Variance::LearnedRange,
            },
            clamp: match sample.threshold {
                Some(share) => Clamp::Dynamic(share),
                None if case.name.ends_with("_clip") => Clamp::Unit,
                None => Clamp::None,
            },
        },
        method: &method,
        guidance: guide.as_ref().map(|rule| rule as &dyn Guidance),
    };
    let start = |_: u64| {
        let key = format!("{}/x_T", case.text("noise_prefix"));
        Tensor::from_vec(noise("", &key, &SHAPE), &SHAPE, &Device::Cpu)
    };
    let asked = RefCell::new(0);
    let net = |x: &Tensor, t: &Tensor| {
        *asked.borrow_mut() += 1;
        world.unet.forward(x, t, Some(&y), None)
    };
    let go_on = &mut |_| ControlFlow::Continue(());
    let drawn = draw(&recipe, &net, &start, go_on).unwrap().unwrap();
    (drawn, asked.into_inner())
}

#[test]
fn draws_end_where_the_authors_programs_end() {
    let world = World::later();
    let mut wrong = Vec::new();
    for case in cases("samplers2", "sampler") {
        let stored = case.arrays();
        let (ours, asked) = images(&world, &case);
        let tolerance = case.value["tolerance"].as_f64().unwrap();
        let ours = thinned(&ours, &stored["final"]);
        if let Err(error) = close(&ours, &values(&stored["final"]), tolerance) {
            wrong.push(format!("{}: {error}", case.name));
        }
        let evaluations = sample(&case).evaluations().unwrap();
        assert_eq!(asked, evaluations, "{}", case.name);
        if let Some(known) = case.value["evaluations"].as_u64() {
            assert_eq!(known as usize, evaluations, "{}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn levels_are_those_of_the_authors_programs() {
    for case in cases("samplers2", "sampler") {
        let (stored, process, sample) = (case.arrays(), process(&case), sample(&case));
        let steps = sample.steps.count().unwrap();
        let spacing = sample.spacing.unwrap();
        let is = |name: &str, of: &dyn Fn(&Level) -> f64, levels: &[Level]| {
            let Some(theirs) = stored.get(name) else {
                return;
            };
            let ours: Vec<f64> = levels.iter().map(of).collect();
            let theirs = values(&theirs.to_dtype(DType::F64).unwrap());
            close(&ours, &theirs, 1e-9).unwrap_or_else(|e| panic!("{} {name}: {e}", case.name));
        };
        if case.text("sampler") == "edm" {
            let sigmas = Sigmas::new(&process).unwrap();
            let levels = sigmas.levels(spacing, steps).unwrap();
            let mut theirs = values(&stored["sigma"]);
            // Some cases list a level once for each of its evaluations.
            theirs.dedup();
            let ours: Vec<f64> = levels.iter().map(|level| level.noise_ratio()).collect();
            // The program keeps them in f32.
            close(&ours, &theirs, 1e-7).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            continue;
        }
        let continuous = Continuous::new(&process).unwrap();
        if let Some(total) = case.value["total_N"].as_u64() {
            assert_eq!(continuous.timesteps() as u64, total, "{}", case.name);
        }
        let levels = continuous.levels(spacing, steps).unwrap();
        is("alpha", &|l| l.alpha(), &levels);
        is("sigma", &|l| l.sigma(), &levels);
        is("lambda", &|l| l.lambda(), &levels);
        is("t_input", &|l| l.timestep, &levels);
    }
}

/// Standard deviation of the toy data, N(0, SPREAD²) in every pixel: its best denoiser is known.
const SPREAD: f64 = 0.5;

/// How far a draw ends from where the exact flow leads, as a share of it.
fn error(sampler: Sampler, steps: usize) -> Result<f64> {
    let process = Process {
        schedule: NoiseSchedule::Linear,
        timesteps: 1000,
        rescale_timesteps: false,
        predict: Prediction::X0,
    };
    let spacing = match sampler {
        Sampler::Heun | Sampler::Euler => Spacing::Edm,
        _ => Spacing::LogSnr,
    };
    let sample = Sample {
        spacing: Some(spacing),
        ..Sample::plain(sampler, Steps::Count(steps), 1)
    };
    let method = Method::new(&sample, &process)?;
    let schedule = Schedule::new(&process, "")?;
    let exact_levels = Continuous::new(&process)?;
    let denoise = |x: &Tensor, t: &Tensor| {
        let t = f64::from(t.to_vec1::<f32>()?[0]);
        let a = exact_levels.level((t + 1.0) / 1000.0).alpha_bar;
        x * (a.sqrt() * SPREAD * SPREAD / (1.0 - (1.0 - SPREAD * SPREAD) * a))
    };
    let recipe = Recipe {
        reading: Reading {
            schedule: &schedule,
            output: Output {
                mean: Mean::StartX,
                variance: Variance::FixedSmall,
            },
            clamp: Clamp::None,
        },
        method: &method,
        guidance: None,
    };
    let start = |_| Tensor::ones((1, 1, 1, 1), DType::F64, &Device::Cpu);
    let go_on = &mut |_| ControlFlow::Continue(());
    let Some(end) = draw(&recipe, &denoise, &start, go_on)? else {
        candle_core::bail!("nothing stopped it")
    };
    let end = end.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?[0];
    // x / sqrt(its variance) is constant along the flow.
    let spread = |a: f64| (1.0 - (1.0 - SPREAD * SPREAD) * a).sqrt();
    let (first, last) = (exact_levels.level(1.0), exact_levels.level(1e-3));
    let exact = match sampler {
        Sampler::Heun | Sampler::Euler => {
            // From noise of size 1 that EDM takes for sigma noise, to the image itself.
            SPREAD * first.sigma() / spread(first.alpha_bar)
        }
        _ => spread(last.alpha_bar) / spread(first.alpha_bar),
    };
    Ok((end / exact - 1.0).abs())
}

#[test]
fn errors_fall_with_the_steps_as_the_order_says() -> Result<()> {
    for (sampler, order) in [
        (Sampler::Euler, 1),
        (Sampler::Dpmpp2m, 2),
        (Sampler::Heun, 2),
        (Sampler::UniPc, 3),
        (Sampler::UniPcBh2, 3),
        // Its first two steps are of the orders 1 and 2, which the whole draw shows.
        (Sampler::Dpmpp3m, 2),
    ] {
        let (coarse, fine) = (error(sampler, 40)?, error(sampler, 80)?);
        let fall = coarse / fine;
        let expected = 2f64.powi(order);
        assert!(
            fall > 0.75 * expected && fall < 1.6 * expected,
            "{sampler:?}: {coarse} and {fine}, {fall} times smaller instead of {expected}"
        );
    }
    Ok(())
}
