//! What can be asked of a sampler beside its steps: the variance, the temperature, section lists; and the keys of it.

use candle_core::{Device, Result, Tensor};
use runner::diffusion::process::posterior::{Output, Reading, Variance, mean_half};
use runner::diffusion::process::schedule::Schedule;
use runner::diffusion::random::noise::{Noise, START};
use runner::diffusion::samplers::draw::{Recipe, draw, tempered};
use runner::experiment::file::experiment::{Sampler, VarianceRule};
use runner::experiment::grid::sweep::cells;
use runner::experiment::nets::arch::{Answer, NoiseSchedule, Process};
use runner::jobs::job::jobs_of;
use std::ops::ControlFlow;
use std::path::Path;

fn process() -> Process {
    Process {
        schedule: NoiseSchedule::Linear,
        timesteps: 1000,
        rescale_timesteps: false,
        predict_x0: false,
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
            clip: true,
        },
        sampler: Sampler::Ddpm,
        eta: 0.0,
        guidance: None,
    };
    let denoise = |x: &Tensor, t: &Tensor| match output.learned() {
        true => toy(x, t),
        false => mean_half(&toy(x, t)?, x),
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
            clip: true,
        };
        let at = runner::diffusion::process::at::At::All(5);
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

const FILE: &str = "name = \"a\"\n[model]\ncheckpoint = \"NET\"\n\
    [sample]\nsteps = 25\ncount = 10\n";

/// The key of the images under `--set`, or the message.
fn key(folder: &Path, set: &[&str]) -> std::result::Result<String, String> {
    let net = folder.join("net.pt");
    std::fs::write(&net, "not a checkpoint").unwrap();
    let text = FILE.replace("NET", &net.display().to_string());
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let cells = cells(&text, &set, &[]).map_err(|e| format!("{e:#}"))?;
    // Where backtraces are asked for, the last error carries one.
    let text = |text: String| text.split("\n   0:").next().unwrap_or_default().to_string();
    let jobs = jobs_of(&cells[0]).map_err(|e| text(format!("{e:#}")))?;
    Ok(jobs[0].key().unwrap().full().to_string())
}

#[test]
fn what_is_left_at_its_default_is_no_part_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = |set: &[&str]| key(folder.path(), set).unwrap();
    let plain = key(&[]);
    for same in [
        &["sample.temperature=1"][..],
        &["sample.variance=learned"],
        &["sample.steps=\"25\""],
    ] {
        assert_eq!(key(same), plain, "{same:?}");
    }
    let mut others = vec![plain];
    for other in [
        &["sample.temperature=0.9"][..],
        &["sample.variance=fixed_large"],
        &["sample.variance=fixed_small"],
        &["sample.steps=ddim25", "sample.sampler=ddim"],
        &["sample.steps=\"10,10,5\""],
    ] {
        let key = key(other);
        assert!(!others.contains(&key), "{other:?}");
        others.push(key);
    }
    let bare = ["model.preset=shapes16", "model.arch.learn_sigma=false"];
    let large = [&bare[..], &["sample.variance=fixed_large"]].concat();
    let small = [&bare[..], &["sample.variance=fixed_small"]].concat();
    assert_eq!(key(&bare), key(&large));
    assert_ne!(key(&bare), key(&small));
}

#[test]
fn classes_by_name_are_labels_before_any_net_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let net = "model.preset=imagenet64";
    let of = |set: &[&str]| key(folder.path(), &[&[net], set].concat());
    let chihuahua = of(&["sample.classes=[151]"]).unwrap();
    for asked in ["chihuahua", "n02085620", "Chihuahua"] {
        let set = format!("sample.classes=[\"{asked}\"]");
        assert_eq!(of(&[&set]).unwrap(), chihuahua);
    }
    let message = of(&["sample.classes=[151, \"crane\"]"]).unwrap_err();
    assert!(
        message.starts_with("sample.classes: class \"crane\" is the name of 2 classes"),
        "{message}"
    );
    assert_eq!(
        of(&["sample.classes=[1000]"]).unwrap_err(),
        "sample.classes: class 1000 is outside 0..=999 (the net knows 1000 classes)"
    );
    // The names of another data set are in the net's own card.
    let shapes = "model.preset=shapes16";
    assert!(key(folder.path(), &[shapes, "sample.classes=[\"heart\"]"]).is_ok());
    assert_eq!(
        key(folder.path(), &[shapes, "sample.classes=[10]"]).unwrap_err(),
        "sample.classes: class 10 is outside 0..=9 (the net knows 10 classes)"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_by_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    for (set, message) in [
        (
            &["sample.sampler=ddim", "sample.variance=fixed_small"][..],
            "sample.variance is fixed, and DDIM does not use the variance of a step\nhint: take it out, or use sampler = \"ddpm\"; the noise of DDIM is `eta`",
        ),
        (
            &["sample.sampler=ddim", "sample.temperature=0.9"],
            "sample.temperature = 0.9 scales the noise that a step adds, and DDIM adds none at eta = 0\nhint: set `eta` above 0, or take `temperature` out",
        ),
        (
            &["sample.temperature=-1"],
            "sample.temperature = -1 is not a number from 0 up",
        ),
        (
            &["sample.variance=learned", "model.arch.learn_sigma=false"],
            "sample.variance = \"learned\", and the net has no variance half\nhint: use \"fixed_large\" or \"fixed_small\", or leave it out",
        ),
        (
            &["sample.steps=ddim45"],
            "[sample]: steps = \"ddim45\": no whole stride takes 45 of 1000 steps\nhint: ddim44 and ddim46 are possible",
        ),
        (
            &["sample.steps=\"400,10\"", "model.process.timesteps=500"],
            "[sample]: steps = \"400,10\": section 0 has 250 of the 500 steps and cannot give 400; 0 to 250 are allowed",
        ),
    ] {
        assert_eq!(key(folder.path(), set).unwrap_err(), message);
    }
}
