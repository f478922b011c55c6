//! Averages of the weights beside the first EMA: each as if it were the only one, power functions by their closed form, and
//! averages that are made of snapshots beside those that were tracked.

use crate::support::tensors::normal;
use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::training::power_ema::{Profile, fit, gamma, share};
use fidrunner::experiment::file::experiment::Train;
use fidrunner::io::checkpoint;
use fidrunner::jobs::files::results::snapshot;
use fidrunner::jobs::inputs::averages::PostHoc;
use fidrunner::stages::post_hoc::Synthesised;
use fidrunner::stages::train::optimizer::adamw::AdamW;
use fidrunner::stages::train::optimizer::averages::{Kind, approached};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const SIZE: usize = 300;
const STEPS: u64 = 960;

fn train(averages: &str) -> Train {
    let text =
        format!("data = 'shapes'\nsteps = {STEPS}\nbatch = 1\nlearning_rate = 0.01\n{averages}");
    toml::from_str(&text).expect("a training")
}

fn start() -> Result<Tensor> {
    normal(3, SIZE, 1.0)
}

/// Weights that walk towards a target with noisy gradients; `look` sees them after each step.
fn walk(train: &Train, look: &mut dyn FnMut(&AdamW)) -> Result<AdamW> {
    let weights = vec![("w".to_string(), start()?)];
    let mut adamw = AdamW::new(weights, train).expect("an optimizer");
    let tensors: HashMap<String, Tensor> = adamw.tensors();
    let target = normal(4, SIZE, 1.0)?;
    for step in 0..train.steps {
        let noise = normal(100 + step, SIZE, 2.0)?;
        let loss = ((&tensors["w"] - &target)? + noise)?.sqr()?.sum_all()?;
        let gradients = adamw.gradients(loss.backward()?).expect("gradients");
        adamw.update(&gradients, 0.01).expect("an update");
        look(&adamw);
    }
    Ok(adamw)
}

fn values(weights: &[(String, Tensor)]) -> Vec<f32> {
    let (_, tensor) = &weights[0];
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn average(adamw: &AdamW, kind: Kind) -> Vec<f32> {
    values(&adamw.average(kind).expect("an average"))
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn each_ema_is_that_of_a_training_of_its_own_to_the_bit() -> Result<()> {
    let both = walk(&train("ema = [0.9, 0.99]"), &mut |_| ())?;
    let first = walk(&train("ema = 0.9"), &mut |_| ())?;
    let second = walk(&train("ema = 0.99"), &mut |_| ())?;
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let ema = |adamw: &AdamW| bits(values(&adamw.ema().expect("an EMA")));
    assert!(ema(&both) == ema(&first));
    assert!(bits(average(&both, Kind::Decay(0.99))) == ema(&second));
    let untracked = both.average(Kind::Decay(0.5)).unwrap_err().to_string();
    assert_eq!(untracked, "ema-0.5 is not tracked");
    Ok(())
}

/// What a GPU does, on the CPU.
#[test]
fn operations_move_an_average_as_the_pass_in_place_does() -> Result<()> {
    let kind = Kind::Decay(0.99);
    let mut want = start()?;
    walk(&train("ema = [0.9, 0.99]"), &mut |adamw| {
        let weight = adamw.tensors()["w"].detach();
        want = approached(&want, &weight, (1.0 - 0.99f64) as f32).unwrap();
        let want = want.to_vec1::<f32>().unwrap();
        assert!(average(adamw, kind) == want, "step {}", adamw.step);
    })?;
    Ok(())
}

#[test]
fn one_ema_leaves_a_state_as_it_was_before_there_were_several() -> Result<()> {
    let one = walk(&train("ema = 0.9"), &mut |_| ())?;
    let named = |adamw: &AdamW| {
        adamw
            .save()
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(named(&one), ["w", "state/w"]);
    let more = walk(
        &train("ema = [0.9, 0.99]\npower_ema.every = 60"),
        &mut |_| (),
    )?;
    let names = ["w", "state/w", "ema-0.99/w", "power-0.05/w", "power-0.1/w"];
    assert_eq!(named(&more), names);
    // One average's state is not another's.
    let saved: HashMap<String, Tensor> = one.save().into_iter().collect();
    let mut fresh = AdamW::new(vec![("w".into(), start()?)], &train("ema = [0.9, 0.99]")).unwrap();
    let refused = fresh.restore(9, &saved).unwrap_err().to_string();
    assert_eq!(refused, "tensor `ema-0.99/w` is missing");
    Ok(())
}

/// sigma_rel^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3)); the two that are tracked by default are 16.97 and 6.94 in
/// arXiv:2312.02696, section 3.1.
#[test]
fn gamma_solves_the_cubic() {
    for sigma in [1e-3, 0.02, 0.05, 0.075, 0.1, 0.2, 0.28] {
        let g = gamma(sigma);
        let variance = (g + 1.0) / ((g + 2.0).powi(2) * (g + 3.0));
        assert!(
            (variance.sqrt() / sigma - 1.0).abs() < 1e-12,
            "{sigma}: {g}"
        );
    }
    assert!((gamma(0.05) - 16.97).abs() < 5e-3 && (gamma(0.10) - 6.94).abs() < 5e-3);
    // The plain mean of all steps.
    assert!(gamma(12f64.sqrt().recip()).abs() < 1e-6);
    assert!((1..9).all(|t| (share(0.0, t) - 1.0 / t as f64).abs() < 1e-15));
}

/// Step k of t counts (k^(gamma + 1) - (k - 1)^(gamma + 1)) / t^(gamma + 1): the integral of the profile over that step.
#[test]
fn a_power_function_average_is_its_closed_form() -> Result<()> {
    let train = train("ema = 0.9\npower_ema = { sigma_rel = [0.05, 0.2], every = 60 }");
    let mut walked: Vec<Vec<f32>> = Vec::new();
    let adamw = walk(&train, &mut |adamw| {
        walked.push(adamw.tensors()["w"].to_vec1().unwrap());
    })?;
    for sigma_rel in [0.05, 0.2] {
        let power = gamma(sigma_rel) + 1.0;
        let until = |k: usize| (k as f64 / STEPS as f64).powf(power);
        let mut want = vec![0f64; SIZE];
        for (k, weights) in walked.iter().enumerate() {
            let counts = until(k + 1) - until(k);
            let terms = want.iter_mut().zip(weights);
            terms.for_each(|(sum, w)| *sum += counts * f64::from(*w));
        }
        let got = average(&adamw, Kind::Power { sigma_rel });
        let off = got
            .iter()
            .zip(&want)
            .map(|(a, b)| (f64::from(*a) - b).abs());
        let off = off.fold(0.0, f64::max);
        assert!(off < 1e-5, "sigma_rel {sigma_rel} is off by {off:e}");
    }
    Ok(())
}

/// The inner product of two profiles by a sum over fine steps.
#[test]
fn products_of_profiles_are_their_integrals() {
    let profiles = [(0.05, 1000), (0.10, 1000), (0.10, 700), (0.25, 300)];
    let profiles = profiles.map(|(sigma, end)| Profile::new(sigma, end));
    let density = |p: Profile, tau: f64| {
        if tau > p.end {
            return 0.0;
        }
        (p.gamma + 1.0) * tau.powf(p.gamma) / p.end.powf(p.gamma + 1.0)
    };
    for a in profiles {
        for b in profiles {
            let fine = 0.01;
            let middles = (0..100_000).map(|n| (n as f64 + 0.5) * fine);
            let sum: f64 = middles.map(|t| density(a, t) * density(b, t) * fine).sum();
            let product = a.product(b);
            assert!(
                (product / sum - 1.0).abs() < 1e-5,
                "{a:?} {b:?}: {product} {sum}"
            );
        }
    }
}

/// Keeps the power-function averages as a training does.
fn snapshots(folder: &Path, train: &Train) -> Result<AdamW> {
    let power = train.power_ema.clone().expect("a table");
    walk(train, &mut |adamw| {
        for &sigma_rel in &power.sigma_rel {
            if train.has_snapshot(adamw.step) {
                let weights = adamw.average(Kind::Power { sigma_rel }).unwrap();
                let path = folder.join(snapshot(sigma_rel, adamw.step));
                checkpoint::write(&path, &weights, &BTreeMap::new()).unwrap();
            }
        }
    })
}

#[test]
fn an_average_of_snapshots_is_near_the_one_that_is_tracked() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let tracked = train("power_ema.every = 60");
    let end = average(
        &snapshots(folder.path(), &tracked)?,
        Kind::Power { sigma_rel: 0.05 },
    );
    let made = |sigma_rel: f64, at: u64| {
        let wanted = PostHoc {
            sigma_rel,
            at,
            widths: vec![0.05, 0.10],
            steps: tracked.snapshots(at),
        };
        let made = Synthesised::open(folder.path(), &wanted).expect("snapshots");
        let weights = made.tensor("w", &Device::Cpu).expect("a tensor");
        (weights.to_vec1::<f32>().unwrap(), made.error)
    };
    let movement = distance(&end, &start()?.to_vec1::<f32>()?);
    for (sigma_rel, at, allowed) in [
        (0.075, STEPS, 2e-4),
        (0.075, STEPS / 2, 1e-3),
        (0.06, STEPS, 2e-4),
        (0.15, STEPS, 1e-3),
        (0.03, STEPS, 2e-3),
    ] {
        let direct = train(&format!(
            "power_ema = {{ sigma_rel = [{sigma_rel}], every = 960 }}"
        ));
        let mut want = Vec::new();
        walk(&direct, &mut |adamw| {
            if adamw.step == at {
                want = average(adamw, Kind::Power { sigma_rel });
            }
        })?;
        let (got, error) = made(sigma_rel, at);
        let off = distance(&got, &want) / movement;
        println!(
            "sigma_rel {sigma_rel} at {at}: off by {off:.1e} of the movement, profile by {error:.1e}"
        );
        assert!(
            off <= allowed,
            "sigma_rel {sigma_rel} at {at} is off by {off:e}"
        );
    }
    for (sigma_rel, at) in [(0.05, STEPS), (0.10, STEPS), (0.10, 300)] {
        let path = folder.path().join(snapshot(sigma_rel, at));
        let kept = checkpoint::Checkpoint::open(&path).unwrap();
        let kept = kept.tensor("w", &Device::Cpu).unwrap().to_vec1::<f32>()?;
        let (got, error) = made(sigma_rel, at);
        let off = got.iter().zip(&kept).map(|(a, b)| (a - b).abs());
        let off = off.fold(0f32, f32::max);
        println!("the snapshot of sigma_rel {sigma_rel} at {at}: off by {off:.1e}");
        assert!(off <= 1e-6 && error < 1e-6, "off by {off:e}, {error:e}");
    }
    Ok(())
}

#[test]
fn more_snapshots_than_are_needed_do_no_harm() {
    let wanted = Profile::new(0.075, 10_000);
    let regular = |every: usize| (1..=10_000 / every as u64).map(move |n| n * every as u64);
    let error = |steps: Vec<u64>| {
        let profiles = steps
            .iter()
            .flat_map(|&step| [0.05, 0.10].map(|s| Profile::new(s, step)));
        let fit = fit(&profiles.collect::<Vec<_>>(), wanted).expect("factors");
        let sum: f64 = fit.factors.iter().sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        assert!(
            fit.factors.iter().all(|factor| factor.abs() < 10.0),
            "{fit:?}"
        );
        fit.error
    };
    let errors: Vec<f64> = [2500, 1250, 625, 100, 20]
        .map(|e| error(regular(e).collect()))
        .into();
    println!("{errors:?}");
    assert!(
        errors.windows(2).all(|pair| pair[1] < pair[0]),
        "{errors:?}"
    );
    assert!(errors[2] < 5e-3 && errors[3] < 2e-4, "{errors:?}");
    // The same one twice, and neighbours.
    let crowded: Vec<u64> = regular(625).chain([9_999, 10_000, 5_000, 5_001]).collect();
    assert!(error(crowded) < errors[2]);
    assert!(fit(&[], wanted).is_err());
}
