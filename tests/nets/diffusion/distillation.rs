//! What a student learns: algorithm 2 of progressive distillation, written out, on the sampler's own timesteps.

use crate::support::gaussians::normal;
use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::process::at::At;
use fidrunner::diffusion::process::respace::space_timesteps;
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::samplers::ddim;
use fidrunner::diffusion::training::distill::{begun, losses, two_steps_in_one};
use fidrunner::experiment::file::experiment::{Distill, SnrWeighting};
use fidrunner::experiment::nets::arch::{NoiseSchedule, Prediction, Process};

const SHAPE: (usize, usize, usize) = (3, 2, 2);

fn process(schedule: NoiseSchedule) -> Process {
    Process {
        schedule,
        timesteps: 1000,
        rescale_timesteps: false,
        predict: Prediction::Velocity,
    }
}

fn noise(seed: u64, n: usize) -> Result<Tensor> {
    let (c, h, w) = SHAPE;
    Tensor::from_vec(normal(seed, n * c * h * w), (n, c, h, w), &Device::Cpu)
}

fn values(x: &Tensor) -> Vec<f64> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn close(ours: &Tensor, theirs: &Tensor, allowed: f64) {
    let pairs = values(ours).into_iter().zip(values(theirs));
    for (place, (a, b)) in pairs.enumerate() {
        assert!((a - b).abs() <= allowed, "value {place}: {a} is not {b}");
    }
}

/// alpha and sigma of the start of a step, of its middle and of its end, for teacher steps `second` + 1 and `second`.
fn levels(schedule: &Schedule, second: usize) -> [(f64, f64); 3] {
    let of = |alpha_bar: f64| (alpha_bar.sqrt(), (1.0 - alpha_bar).sqrt());
    [
        of(schedule.alpha_bar[second + 1]),
        of(schedule.alpha_bar[second]),
        of(schedule.alpha_bar_prev[second]),
    ]
}

#[test]
fn a_students_timesteps_are_every_second_one_of_its_teachers() -> Result<()> {
    for timesteps in [1000, 4000, 750] {
        for student in [1, 2, 3, 4, 8, 16, 100, 375] {
            let own = space_timesteps(timesteps, &format!("trailing{student}"))?;
            let teachers = space_timesteps(timesteps, &format!("trailing{}", 2 * student))?;
            assert_eq!((own.len(), own[student - 1]), (student, timesteps - 1));
            assert_eq!(teachers.len(), 2 * student);
            for (place, timestep) in own.iter().enumerate() {
                assert_eq!(teachers[begun(place)], *timestep);
            }
        }
    }
    assert_eq!(space_timesteps(1000, "trailing4")?, [249, 499, 749, 999]);
    // numpy rounds 62.5 to the even 62.
    assert_eq!(space_timesteps(1000, "trailing16")?[..2], [61, 124]);
    for wrong in ["trailing0", "trailing1001", "trailing", "trailing2.5"] {
        assert!(space_timesteps(1000, wrong).is_err(), "{wrong}");
    }
    Ok(())
}

#[test]
fn the_target_is_that_of_algorithm_2() -> Result<()> {
    for noises in [NoiseSchedule::Linear, NoiseSchedule::Cosine] {
        let schedule = Schedule::new(&process(noises), "trailing8")?;
        let x = noise(1, 4)?;
        let answers = [noise(2, 4)?, noise(3, 4)?];
        let asked = std::cell::RefCell::new(Vec::new());
        let teacher = |x: &Tensor, places: &[usize]| {
            asked.borrow_mut().push((x.clone(), places.to_vec()));
            Ok(answers[asked.borrow().len() - 1].clone())
        };
        let target = two_steps_in_one(&schedule, &x, &[0, 1, 2, 3], &teacher)?;
        let asked = asked.into_inner();
        assert_eq!(
            [&asked[0].1[..], &asked[1].1[..]],
            [[1, 3, 5, 7], [0, 2, 4, 6]]
        );
        for place in 0..4 {
            let [(a, s), (a1, s1), (a2, s2)] = levels(&schedule, 2 * place);
            let of = |tensor: &Tensor| values(&tensor.get(place).unwrap());
            let (z, x1, x2) = (of(&x), of(&answers[0]), of(&answers[1]));
            let (middle, target) = (of(&asked[1].0), of(&target));
            for i in 0..z.len() {
                let half = a1 * x1[i] + s1 / s * (z[i] - a * x1[i]);
                // The sampler's weights are rounded to f32.
                assert!((middle[i] - half).abs() < 1e-6, "{} {half}", middle[i]);
                let end = a2 * x2[i] + s2 / s1 * (half - a1 * x2[i]);
                let written = (end - s2 / s * z[i]) / (a2 - s2 / s * a);
                let off = (target[i] - written).abs();
                assert!(off < 1e-9, "place {place}: {} {written}", target[i]);
            }
        }
        // At the last step there is no noise left to keep: the teacher's second answer is the target.
        close(&target.get(0)?, &answers[1].get(0)?, 0.0);
    }
    Ok(())
}

/// Images of N(0, spread²): the best x0 for x is linear in it.
fn gaussian(schedule: &Schedule, spread: f64) -> impl Fn(&Tensor, &[usize]) -> Result<Tensor> + '_ {
    move |x, places| {
        let best = |i: usize| {
            let alpha_bar = schedule.alpha_bar[i];
            alpha_bar.sqrt() * spread.powi(2) / (alpha_bar * spread.powi(2) + 1.0 - alpha_bar)
        };
        At::Each(places).scale(x, best)
    }
}

#[test]
fn one_step_to_the_target_is_two_steps_of_a_gaussians_teacher() -> Result<()> {
    for student in [1, 2, 8] {
        let process = process(NoiseSchedule::Cosine);
        let fine = Schedule::new(&process, &format!("trailing{}", 2 * student))?;
        let coarse = Schedule::new(&process, &format!("trailing{student}"))?;
        let teacher = gaussian(&fine, 0.6);
        let places: Vec<usize> = (0..student).collect();
        let x = noise(5, student)?;
        let target = two_steps_in_one(&fine, &x, &places, &teacher)?;
        // The student's step is the sampler's, on its own schedule.
        let once = ddim::step(&coarse, &x, &target, At::Each(&places), 0.0, None)?;
        let first: Vec<usize> = places.iter().map(|p| 2 * p + 1).collect();
        let second: Vec<usize> = places.iter().map(|p| 2 * p).collect();
        let x1 = teacher(&x, &first)?;
        let middle = ddim::step(&fine, &x, &x1, At::Each(&first), 0.0, None)?;
        let x2 = teacher(&middle, &second)?;
        let twice = ddim::step(&fine, &middle, &x2, At::Each(&second), 0.0, None)?;
        close(&once, &twice, 2e-6);
        // In closed form: each step multiplies x by a number.
        for place in 0..student {
            let [(a, s), (a1, s1), (a2, s2)] = levels(&fine, 2 * place);
            let best = |a: f64, s: f64| a * 0.36 / (a * a * 0.36 + s * s);
            let step = |(a, s): (f64, f64), (to, left): (f64, f64)| {
                to * best(a, s) + left / s * (1.0 - a * best(a, s))
            };
            let factor = step((a, s), (a1, s1)) * step((a1, s1), (a2, s2));
            let expected = (x.get(place)? * factor)?;
            close(&once.get(place)?, &expected, 5e-6);
        }
    }
    Ok(())
}

#[test]
fn the_loss_counts_by_the_signal_to_noise_ratio() -> Result<()> {
    let schedule = Schedule::new(&process(NoiseSchedule::Linear), "trailing4")?;
    let (x0, target) = (noise(7, 4)?, noise(8, 4)?);
    for (weighting, by_hand) in [
        (SnrWeighting::Truncated, [true, false]),
        (SnrWeighting::PlusOne, [false, true]),
    ] {
        let at = At::Each(&[0, 1, 2, 3]);
        let weight = |alpha_bar| weighting.at(alpha_bar);
        let (mse, weighted) = losses(&schedule, (&x0, &target), at, weight)?;
        for i in 0..4 {
            let pairs = values(&x0.get(i)?).into_iter().zip(values(&target.get(i)?));
            let error = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 12.0;
            let snr = schedule.alpha_bar[i] / (1.0 - schedule.alpha_bar[i]);
            let factor = if by_hand[0] { snr.max(1.0) } else { snr + 1.0 };
            let ours = [values(&mse)[i], values(&weighted)[i]];
            assert!((ours[0] - error).abs() < 1e-12 * error);
            assert!((ours[1] - factor * error).abs() < 1e-9 * factor * error);
        }
    }
    Ok(())
}

#[test]
fn the_squared_error_of_x0_by_snr_and_1_is_that_of_the_velocity() -> Result<()> {
    let schedule = Schedule::new(&process(NoiseSchedule::Linear), "trailing4")?;
    let at = At::Each(&[0, 1, 2, 3]);
    let (x0, eps) = (noise(9, 4)?, noise(10, 4)?);
    let x = schedule.diffuse(&x0, &eps, at)?;
    let (v, answer) = (schedule.velocity(&x0, &eps, at)?, noise(11, 4)?);
    let guess = schedule.x0_of_v(&x, &answer, at)?;
    let weight = |alpha_bar| SnrWeighting::PlusOne.at(alpha_bar);
    let (_, weighted) = losses(&schedule, (&guess, &x0), at, weight)?;
    let error = (v - answer)?.sqr()?.flatten_from(1)?.mean(1)?;
    close(&(weighted / &error)?, &Tensor::ones_like(&error)?, 1e-9);
    Ok(())
}

#[test]
fn one_step_goes_from_the_noise_to_the_answer() -> Result<()> {
    let schedule = Schedule::new(&process(NoiseSchedule::Linear), "trailing1")?;
    assert_eq!((schedule.len(), schedule.timesteps[0]), (1, 999));
    let tables = [
        &schedule.posterior_log_variance,
        &schedule.posterior_x0,
        &schedule.posterior_xt,
        &schedule.recip,
    ];
    assert!(tables.iter().all(|table| table[0].is_finite()));
    let (x, x0) = (noise(12, 2)?, noise(13, 2)?);
    close(
        &ddim::step(&schedule, &x, &x0, At::All(0), 0.0, None)?,
        &x0,
        0.0,
    );
    let message = Schedule::new(&process(NoiseSchedule::Linear), "1").unwrap_err();
    assert!(message.to_string().contains("spacing = \"trailing\""));
    Ok(())
}

#[test]
fn rounds_halve_and_a_conversion_comes_first() {
    let distill = |text: &str| -> Distill { toml::from_str(text).unwrap() };
    let plain = distill("teacher = 'a'\nteacher_steps = 8\nto = 2");
    let told = |distill: &Distill| -> Vec<(Option<usize>, u64, u64)> {
        let rounds = distill.rounds(100).into_iter();
        rounds.map(|r| (r.student, r.after, r.until)).collect()
    };
    assert_eq!(told(&plain), [(Some(4), 0, 100), (Some(2), 100, 200)]);
    let converted = distill("teacher = 'a'\nteacher_steps = 2\nconvert_steps = 30");
    assert_eq!(told(&converted), [(None, 0, 30), (Some(1), 30, 130)]);
    assert_eq!(
        converted.rounds(100)[1].to_string(),
        "round 2 of 2: 2 steps in 1"
    );
}
