//! Whole guided trajectories, net and classifier and sampler together, against the release's images.

use crate::support::archs::{arch_of_config, process, variables};
use crate::support::golden::{Case, cases, close, noise, tensor, values};
use candle_core::{DType, Device, Tensor};
use fidrunner::diffusion::guidance::classifier::ClassifierGuidance;
use fidrunner::diffusion::guidance::rule::Guidance;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Output, Reading};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::START;
use fidrunner::diffusion::samplers::draw::{Recipe, draw, to_u8};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::nets::arch::{Answer, Arch};
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::unet::Unet;
use std::cell::RefCell;
use std::ops::ControlFlow;

fn named(folder: &str, kind: &str, name: &str) -> Case {
    let mut all = cases(folder, kind).into_iter();
    all.find(|case| case.name == name)
        .unwrap_or_else(|| panic!("{folder} has no {kind} called {name}"))
}

fn arch_of(case: &Case) -> Arch {
    arch_of_config(case.text("kind"), &case.value["config"])
}

/// What every trajectory is made with.
pub(super) struct World {
    pub(super) unet: Unet,
    answer: Answer,
    pub(super) classifier: Classifier,
}

impl World {
    pub(super) fn open() -> Self {
        let net = named("models", "unet", "unet_adm_mini");
        let judge = named("models", "classifier", "classifier_attention");
        let (Arch::Unet(arch), Arch::Classifier(judge_arch)) = (arch_of(&net), arch_of(&judge))
        else {
            panic!("a UNet and a classifier make the trajectories")
        };
        let weights = |case: &Case, arch: &Arch| variables(arch, case.text("prefix")).1;
        Self {
            unet: Unet::new(&arch, weights(&net, &arch_of(&net))).unwrap(),
            answer: arch.answer(),
            classifier: Classifier::new(&judge_arch, weights(&judge, &arch_of(&judge))).unwrap(),
        }
    }

    /// The world of `samplers2` and `guidance2`, whose weights were made when the rule of positional embeddings was another.
    pub(super) fn later() -> Self {
        let judge = named("models", "classifier", "classifier_attention");
        let Arch::Classifier(arch) = arch_of(&judge) else {
            panic!("a classifier guides the trajectories")
        };
        let prefix = judge.text("prefix");
        let (variables, vb) = variables(&Arch::Classifier(arch.clone()), prefix);
        let name = "out.2.positional_embedding";
        let shape = variables[name].dims().to_vec();
        let signs = tensor("", &format!("{prefix}{name}"), &shape);
        let signs = Tensor::from_vec(signs, shape, &Device::Cpu).unwrap();
        variables[name].set(&(signs * 0.5).unwrap()).unwrap();
        Self {
            classifier: Classifier::new(&arch, vb).unwrap(),
            ..Self::open()
        }
    }

    /// The UNet with other weights, and with or without its classes.
    pub(super) fn unet(prefix: &str, classes: bool) -> Unet {
        let Arch::Unet(mut arch) = arch_of(&named("models", "unet", "unet_adm_mini")) else {
            panic!("a UNet makes the trajectories")
        };
        arch.classes = arch.classes.filter(|_| classes);
        let vb = variables(&Arch::Unet(arch.clone()), prefix).1;
        Unet::new(&arch, vb).unwrap()
    }

    /// x after the first step, and after the last.
    fn draw(&self, case: &Case, y: &Tensor, shape: &[usize]) -> (Tensor, Tensor) {
        let process = process(case);
        let schedule = Schedule::new(&process, case.text("respacing")).unwrap();
        let scale = case.value["scale"].as_f64().unwrap();
        let log_probs = |x: &Tensor, t: &Tensor| self.classifier.log_probs(x, t);
        let guide = (scale != 0.0).then(|| ClassifierGuidance::new(scale, &log_probs, y));
        let recipe = Recipe {
            reading: Reading {
                schedule: &schedule,
                output: Output::of(&process, self.answer),
                clamp: Clamp::Unit,
            },
            method: if case.value["ddim"].as_bool().unwrap() {
                &Method::Ddim { eta: 0.0 }
            } else {
                &Method::Ddpm
            },
            guidance: guide.as_ref().map(|rule| rule as &dyn Guidance),
        };
        // The prefix already holds the salt.
        let prefix = case.text("noise_prefix");
        let stored = |step: u64| {
            let key = match step {
                START => format!("{prefix}/x_T"),
                k => format!("{prefix}/noise.{}", k - START - 1),
            };
            Tensor::from_vec(noise("", &key, shape), shape, &Device::Cpu)
        };
        let seen = RefCell::new(Vec::new());
        let denoise = |x: &Tensor, t: &Tensor| {
            seen.borrow_mut().push(x.clone());
            self.unet.forward(x, t, Some(y), None)
        };
        let go_on = &mut |_| ControlFlow::Continue(());
        let last = draw(&recipe, &denoise, &stored, go_on).unwrap().unwrap();
        (seen.borrow()[1].clone(), last)
    }
}

/// The levels by which two byte images differ at most, and the share of pixels that differ at all.
fn levels(ours: &[f64], theirs: &[f64]) -> (f64, f64) {
    let apart = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    let most = apart.clone().fold(0.0, f64::max);
    let differ = apart.filter(|d| *d > 0.0).count();
    (most, differ as f64 / ours.len() as f64)
}

#[test]
fn trajectories_end_at_the_images_of_the_release() {
    let world = World::open();
    let (mut pixels, mut bytes) = (Vec::new(), Vec::new());
    for case in cases("models", "trajectory") {
        let stored = case.arrays();
        let y = stored["y"].to_dtype(DType::U32).unwrap();
        let (first, last) = world.draw(&case, &y, stored["final"].dims());
        for (name, ours) in [("first", &first), ("final", &last)] {
            // At timestep 999 of the cosine schedule the net's answer counts 20,291-fold, so that the last bit of a pixel
            // that is not clipped there is worth up to 2.4e-3: the release itself, on one thread or with channels last,
            // lands 1.1e-3 and 1.9e-3 from what it answers on two.
            if let Err(error) = close(&values(ours), &values(&stored[name]), 1e-3) {
                pixels.push(format!("{} {name}: {error}", case.name));
            }
        }
        let theirs = values(&stored["samples_u8"]);
        assert_eq!(values(&to_u8(&stored["final"]).unwrap()), theirs);
        let (most, share) = levels(&values(&to_u8(&last).unwrap()), &theirs);
        if most > 1.0 || share > 0.2 {
            bytes.push(format!(
                "{}: {most} levels, {share} of the pixels",
                case.name
            ));
        }
    }
    assert!(pixels.is_empty(), "{}", pixels.join("\n"));
    assert!(bytes.is_empty(), "{}", bytes.join("\n"));
}
