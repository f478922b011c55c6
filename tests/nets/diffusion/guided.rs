//! Guidance beyond the plain classifier's, against the papers' formulas: a step of DDIM and of DDPM, and eight of each.

use super::trajectories::World;
use crate::support::archs::process_of;
use crate::support::golden::{Case, cases, close, noise, thinned, values};
use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::guidance::classifier::{
    ClassifierGuidance, class_gradient, entropy_scaled_gradient,
};
use fidrunner::diffusion::guidance::combined::{Combined, Form};
use fidrunner::diffusion::guidance::finite::Checks;
use fidrunner::diffusion::guidance::rule::{Guidance, Point};
use fidrunner::diffusion::guidance::strength::Strength;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Field, Mean, Output, Reading, Variance};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::START;
use fidrunner::diffusion::samplers::draw::{Recipe, draw};
use fidrunner::diffusion::samplers::guided::Guided;
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::file::drawing::rules::Apg;
use fidrunner::experiment::nets::arch::NoiseSchedule;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::denoiser::{Conditions, Denoiser};
use std::ops::ControlFlow;

const SHAPE: [usize; 4] = [2, 3, 32, 32];
/// The step of the stored inputs.
const STEP: usize = 4;

/// The nets that give second answers.
struct Nets {
    world: World,
    uncond: Unet,
    guide: Unet,
    y: Tensor,
}

impl Nets {
    fn open() -> Self {
        Self {
            world: World::later(),
            uncond: World::unet("adm_mini_uncond/", false),
            guide: World::unet("adm_mini_guide/", true),
            y: Tensor::new(&[3u32, 6], &Device::Cpu).unwrap(),
        }
    }

    fn asked(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        self.world.unet.forward(x, t, Some(&self.y), None)
    }

    /// The second answer of a case.
    fn second(&self, null: &str, point: &Point) -> Result<Tensor> {
        let (x, t) = (point.x, point.t);
        match null {
            "net" => self.uncond.forward(x, t, None, None),
            "guide" => self.guide.forward(x, t, Some(&self.y), None),
            "zero" => {
                let given = Conditions {
                    without_class: true,
                    ..Conditions::default()
                };
                self.world.unet.denoise(x, t, &given)
            }
            other => panic!("a second answer by {other}"),
        }
    }
}

fn number(case: &Case, field: &str) -> f64 {
    case.value[field].as_f64().unwrap_or(0.0)
}

/// What `with` makes of the case's rule, new for one draw.
fn guided<T>(nets: &Nets, case: &Case, with: impl FnOnce(&dyn Guidance) -> T) -> T {
    let ends = case.value["interval"].as_array();
    let interval = ends.map(|ends| [ends[0].as_f64().unwrap(), ends[1].as_f64().unwrap()]);
    let Some(null) = case.value["null"].as_str() else {
        let log_probs = |x: &Tensor, t: &Tensor| nets.world.classifier.log_probs(x, t);
        let scale = number(case, "scale");
        let gradient = |x: &Tensor, t: &Tensor| {
            if case.value["eds"] == true {
                entropy_scaled_gradient(&log_probs, &nets.y, x, t)
            } else {
                class_gradient(&log_probs, &nets.y, x, t)
            }
        };
        let rule = ClassifierGuidance::with_gradient(scale, gradient);
        return with(&rule.with_strength(Strength {
            interval,
            ..Strength::constant(scale, 0.0)
        }));
    };
    let flag = |field: &str| case.value[field] == true;
    let form = if flag("cfgpp") {
        Form::PlusPlus
    } else if flag("zero_star") {
        Form::ZeroStar
    } else if let Some(apg) = case.value["apg"].as_object() {
        Form::Apg(Apg {
            momentum: apg["beta"].as_f64().unwrap(),
            norm: apg["r"].as_f64(),
            parallel: apg["eta"].as_f64().unwrap(),
        })
    } else {
        Form::Plain
    };
    let strength = Strength {
        interval,
        ..Strength::constant(number(case, "w"), 1.0)
    };
    let other = |point: &Point, _: &Tensor| nets.second(null, point);
    let rescale = number(case, "rescale");
    with(&Combined::new(strength, form, rescale, &other))
}

/// The two ways of a case: its name, the method, the steps.
fn ways(case: &Case) -> Vec<(&'static str, Method, &'static str)> {
    let mut ways = vec![("ddim", Method::Ddim { eta: 0.0 }, "ddim8")];
    if case.value["cfgpp"] != true {
        ways.push(("ddpm", Method::Ddpm, "8"));
    }
    ways
}

fn reading<'a>(case: &Case, schedule: &'a Schedule) -> Reading<'a> {
    let threshold = case.value["thresholding"].as_f64();
    Reading {
        schedule,
        output: Output {
            mean: Mean::Epsilon,
            variance: Variance::LearnedRange,
        },
        clamp: threshold.map_or(Clamp::Unit, Clamp::Dynamic),
    }
}

/// What differs more than is allowed, in words.
fn off(case: &Case, name: &str, ours: &Tensor, stored: &Tensor, tolerance: f64) -> Option<String> {
    let off = close(&thinned(ours, stored), &values(stored), tolerance);
    off.err()
        .map(|error| format!("{} {name}: {error}", case.name))
}

#[test]
fn draws_end_where_the_formulas_lead() {
    let nets = Nets::open();
    let net: &Field = &|x: &Tensor, t: &Tensor| nets.asked(x, t);
    let mut wrong = Vec::new();
    for case in cases("guidance2", "guidance") {
        let stored = case.arrays();
        for (way, method, steps) in ways(&case) {
            let process = process_of(NoiseSchedule::Cosine, 1000);
            let schedule = Schedule::new(&process, steps).unwrap();
            let source = |step: u64| {
                let key = match step {
                    START => "guidance2/x_T".to_string(),
                    k => format!("guidance2/noise.{}", k - START - 1),
                };
                Tensor::from_vec(noise(&case.salt, &key, &SHAPE), &SHAPE, &Device::Cpu)
            };
            let ours = guided(&nets, &case, |rule| {
                let recipe = Recipe {
                    reading: reading(&case, &schedule),
                    method: &method,
                    guidance: Some(rule),
                };
                let go_on = &mut |_| ControlFlow::Continue(());
                draw(&recipe, net, &source, go_on).unwrap().unwrap()
            });
            let name = format!("{way}_final");
            let tolerance = case.value["tolerance"].as_f64().unwrap();
            wrong.extend(off(&case, &name, &ours, &stored[&name], tolerance));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn single_steps_agree_with_the_formulas() {
    let nets = Nets::open();
    let net: &Field = &|x: &Tensor, t: &Tensor| nets.asked(x, t);
    let inputs = cases("guidance2", "guidance_inputs").remove(0);
    assert_eq!(inputs.value["index"], STEP);
    let inputs = inputs.arrays();
    let mut wrong = Vec::new();
    for case in cases("guidance2", "guidance") {
        let stored = case.arrays();
        for (way, method, steps) in ways(&case) {
            let process = process_of(NoiseSchedule::Cosine, 1000);
            let schedule = Schedule::new(&process, steps).unwrap();
            let ours = guided(&nets, &case, |rule| {
                let net = Guided {
                    reading: reading(&case, &schedule),
                    net,
                    guidance: Some(rule),
                    checks: Checks::default(),
                };
                let noise = || Ok(inputs["z"].clone());
                method
                    .start()
                    .step(&net, &inputs["x"], STEP, &noise)
                    .unwrap()
            });
            let name = format!("{way}_next");
            wrong.extend(off(&case, &name, &ours, &stored[&name], 1e-4));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
