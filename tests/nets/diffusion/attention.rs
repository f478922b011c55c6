//! Guidance by the sampled net's attention, against the papers' formulas in f64; and that an image is the same in any batch.

use crate::support::archs::{CLASSES, heard, process_of, tiny};
use crate::support::tensors::{far, normal};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use fidrunner::diffusion::guidance::combined::{Combined, Form};
use fidrunner::diffusion::guidance::finite::Checks;
use fidrunner::diffusion::guidance::rule::{Guidance, Point};
use fidrunner::diffusion::guidance::strength::Strength;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Mean, Output, Reading, Variance};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::Noise;
use fidrunner::diffusion::samplers::draw::{Recipe, draw};
use fidrunner::diffusion::samplers::guided::Guided;
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::file::drawing::guidance::Guidance as Table;
use fidrunner::experiment::file::drawing::rules::Rule;
use fidrunner::experiment::file::experiment::{Sample, Sampler, Steps};
use fidrunner::experiment::nets::arch::{Arch, NoiseSchedule, UnetArch};
use fidrunner::experiment::nets::presets;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::attention::{Attention, Probe};
use fidrunner::nets::denoiser::{Conditions, Denoiser};
use fidrunner::stages::draw::degraded::Degraded;
use std::ops::ControlFlow;

const SIDE: usize = 16;
/// A step half-way between noise and image, of [`STEPS`].
const STEP: usize = 4;
const STEPS: &str = "8";
const SCALE: f64 = 3.0;

const SELF: &str = "method = \"self-attention\"\nscale = 3";
const PERTURBED: &str = "method = \"perturbed-attention\"\nscale = 3";

fn rule(text: &str) -> Rule {
    toml::from_str::<Table>(text).unwrap().rule()
}

/// A net with attention at 8 pixels, and the labels of a batch.
struct World {
    arch: UnetArch,
    net: Unet,
    y: Tensor,
}

impl World {
    fn new(labels: &[u32]) -> Self {
        let mut arch = tiny(SIDE, None, CLASSES);
        arch.trunk.attention = vec![8];
        let weights = heard(&Arch::Unet(arch.clone())).into_iter().collect();
        let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
        Self {
            net: Unet::new(&arch, vb).unwrap(),
            arch,
            y: Tensor::new(labels, &Device::Cpu).unwrap(),
        }
    }

    fn ask(&self, x: &Tensor, t: &Tensor, attention: Option<Attention>) -> Result<Tensor> {
        let given = Conditions {
            labels: Some(&self.y),
            attention,
            ..Conditions::default()
        };
        self.net.denoise(x, t, &given)
    }

    /// What `with` makes of a net and the rule that guides it.
    fn guided<T>(
        &self,
        rule: &Rule,
        with: impl FnOnce(&dyn Fn(&Tensor, &Tensor) -> Result<Tensor>, &dyn Guidance) -> T,
    ) -> T {
        let degraded = Degraded::of(rule, &Arch::Unet(self.arch.clone())).unwrap();
        let degraded = degraded.expect("guidance by attention");
        let probe = degraded.probe();
        let ask = |x: &Tensor, t: &Tensor, asked: Option<Attention>| self.ask(x, t, asked);
        let other =
            |point: &Point, first: &Tensor| degraded.answer(point, first, probe.as_ref(), &ask);
        let combined = Combined::new(Strength::constant(SCALE, 1.0), Form::Plain, 0.0, &other);
        let net = |x: &Tensor, t: &Tensor| self.ask(x, t, probe.as_ref().map(Attention::Kept));
        with(&net, &combined)
    }
}

/// A step's tables and images, for formulas in f64.
struct Step<'a> {
    world: &'a World,
    schedule: Schedule,
    mean: Mean,
    x: Tensor,
    t: Tensor,
    alpha: f64,
    sigma: f64,
}

impl<'a> Step<'a> {
    fn new(world: &'a World, mean: Mean) -> Self {
        let schedule = Schedule::new(&process_of(NoiseSchedule::Cosine, 1000), STEPS).unwrap();
        let alpha_bar = schedule.alpha_bar[STEP];
        Self {
            world,
            mean,
            x: normal(3, (2, 3, SIDE, SIDE), 1.0).unwrap(),
            t: Tensor::full(schedule.timestep(STEP), 2, &Device::Cpu).unwrap(),
            alpha: alpha_bar.sqrt(),
            sigma: (1.0 - alpha_bar).sqrt(),
            schedule,
        }
    }

    /// The program's guided x0.
    fn ours(&self, rule: &Rule) -> Tensor {
        self.world.guided(rule, |net, rule| {
            let guided = Guided {
                reading: Reading {
                    schedule: &self.schedule,
                    output: Output {
                        mean: self.mean,
                        variance: Variance::LearnedRange,
                    },
                    clamp: Clamp::Unit,
                },
                net,
                guidance: Some(rule),
                checks: Checks::default(),
            };
            guided.x0(&self.x, STEP).unwrap().x0
        })
    }

    /// The noise of an answer about `x`.
    fn noise(&self, x: &[f64], answer: &Tensor) -> Vec<f64> {
        let answer = values(&answer.narrow(1, 0, 3).unwrap());
        if self.mean == Mean::Epsilon {
            return answer;
        }
        let pairs = x.iter().zip(answer);
        pairs
            .map(|(x, x0)| (x - self.alpha * x0) / self.sigma)
            .collect()
    }

    fn x0(&self, noise: &[f64]) -> Vec<f64> {
        let pairs = values(&self.x).into_iter().zip(noise);
        pairs
            .map(|(x, eps)| (x - self.sigma * eps) / self.alpha)
            .collect()
    }

    /// u + s (c - u) of two noises, as an x0.
    fn combined(&self, first: &[f64], second: &[f64]) -> Tensor {
        let pairs = first.iter().zip(second);
        let noise: Vec<f64> = pairs.map(|(c, u)| u + SCALE * (c - u)).collect();
        let x0 = self.x0(&noise).into_iter().map(|v| v.clamp(-1.0, 1.0));
        tensor(x0.collect())
    }
}

fn values(x: &Tensor) -> Vec<f64> {
    let x = x.to_dtype(DType::F64).unwrap();
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn tensor(values: Vec<f64>) -> Tensor {
    let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
    Tensor::from_vec(values, (2, 3, SIDE, SIDE), &Device::Cpu).unwrap()
}

/// The images of `x` under a kernel of `size` pixels a side, mirrored beyond their edges.
fn blurred(x: &[f64], size: usize, sigma: f64) -> Vec<f64> {
    let margin = (size / 2) as i64;
    let side = SIDE as i64;
    let mirrored = |at: i64| match at {
        at if at < 0 => -at,
        at if at >= side => 2 * (side - 1) - at,
        at => at,
    } as usize;
    let weight = |di: i64, dj: i64| (-((di * di + dj * dj) as f64) / (2.0 * sigma * sigma)).exp();
    let near = || (-margin..=margin).flat_map(|i| (-margin..=margin).map(move |j| (i, j)));
    let all: f64 = near().map(|(di, dj)| weight(di, dj)).sum();
    let mut out = Vec::new();
    for plane in x.chunks(SIDE * SIDE) {
        for (i, j) in (0..side).flat_map(|i| (0..side).map(move |j| (i, j))) {
            let value =
                |(di, dj)| weight(di, dj) / all * plane[mirrored(i + di) * SIDE + mirrored(j + dj)];
            out.push(near().map(value).sum());
        }
    }
    out
}

#[test]
fn self_attention_guidance_blurs_where_the_net_attends() {
    let world = World::new(&[0, 2]);
    for mean in [Mean::Epsilon, Mean::StartX] {
        for (text, block, size, sigma) in [
            (SELF.to_string(), "middle_block.1", 5, 0.375),
            (
                format!(
                    "{SELF}\nblocks = [\"input_blocks.3.1\"]\nblur = {{ sigma = 1.5, kernel = 7 }}"
                ),
                "input_blocks.3.1",
                7,
                1.5,
            ),
        ] {
            let step = Step::new(&world, mean);
            let probe = Probe::new(block.to_string());
            let asked = Some(Attention::Kept(&probe));
            let first = world.ask(&step.x, &step.t, asked).unwrap();
            let received = values(&probe.received().unwrap());
            assert_eq!(received.len(), 2 * 8 * 8);
            let attended = received.iter().filter(|sum| **sum > 1.0).count();
            assert!((10..118).contains(&attended), "{attended} of 128");
            let first = step.noise(&values(&step.x), &first);
            let x0 = step.x0(&first);
            assert!(x0.iter().any(|v| v.abs() > 1.0), "the clamp is seen");
            let x0: Vec<f64> = x0.into_iter().map(|v| v.clamp(-1.0, 1.0)).collect();
            let smooth = blurred(&x0, size, sigma);
            let plane = SIDE * SIDE;
            let degraded = (0..x0.len()).map(|at| {
                let (image, i, j) = (at / plane / 3, at % plane / SIDE, at % SIDE);
                let is_masked = received[image * 64 + i / 2 * 8 + j / 2] > 1.0;
                let x0 = if is_masked { smooth[at] } else { x0[at] };
                step.alpha * x0 + step.sigma * first[at]
            });
            let degraded: Vec<f64> = degraded.collect();
            let second = world.ask(&tensor(degraded.clone()), &step.t, None).unwrap();
            let second = step.noise(&degraded, &second);
            let wanted = step.combined(&first, &second);
            let ours = step.ours(&rule(&text));
            assert!(far(&ours, &wanted).unwrap() < 1e-4, "{mean:?} {block}");
            // Neither the first answer alone nor a blur of everything.
            let unguided = step.combined(&first, &first);
            assert!(far(&ours, &unguided).unwrap() > 1e-3, "{mean:?} {block}");
        }
    }
}

#[test]
fn perturbed_attention_guidance_leads_away_from_the_identity() {
    let world = World::new(&[0, 2]);
    let step = Step::new(&world, Mean::Epsilon);
    let first = world.ask(&step.x, &step.t, None).unwrap();
    let first = step.noise(&values(&step.x), &first);
    let mut seen: Vec<Tensor> = Vec::new();
    for (blocks, names) in [
        ("", &["middle_block.1"][..]),
        ("blocks = [\"input_blocks.3.1\"]", &["input_blocks.3.1"]),
        (
            "blocks = [\"output_blocks.0.1\", \"middle_block.1\"]",
            &["middle_block.1", "output_blocks.0.1"],
        ),
    ] {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let asked = Some(Attention::Identity(&names));
        let second = world.ask(&step.x, &step.t, asked).unwrap();
        let second = step.noise(&values(&step.x), &second);
        let wanted = step.combined(&first, &second);
        let ours = step.ours(&rule(&format!("{PERTURBED}\n{blocks}")));
        assert!(far(&ours, &wanted).unwrap() < 1e-5, "{blocks}");
        for other in &seen {
            assert!(far(&ours, other).unwrap() > 1e-4, "{blocks}");
        }
        seen.push(ours);
    }
}

/// Every pixel of these images under the rule, drawn together.
fn images(numbers: &[u64], sampler: Sampler, rule: &Rule) -> Vec<f32> {
    let labels: Vec<u32> = numbers.iter().map(|&i| i as u32 % 3).collect();
    let world = World::new(&labels);
    let process = process_of(NoiseSchedule::Cosine, 1000);
    let sample = Sample::plain(sampler, Steps::Count(3), numbers.len());
    let method = Method::new(&sample, &process).unwrap();
    let schedule = method.schedule(&process, "3").unwrap();
    let noise = |step| Noise::new(3).tensor(numbers, step, (3, SIDE, SIDE), &Device::Cpu);
    let drawn = world.guided(rule, |net, rule| {
        let recipe = Recipe {
            reading: Reading {
                schedule: &schedule,
                output: Output {
                    mean: Mean::Epsilon,
                    variance: Variance::LearnedRange,
                },
                clamp: Clamp::Unit,
            },
            method: &method,
            guidance: Some(rule),
        };
        draw(&recipe, net, &noise, &mut |_| ControlFlow::Continue(()))
    });
    let drawn = drawn.unwrap().unwrap();
    drawn.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_guided_image_is_the_same_whatever_is_drawn_beside_it() {
    let numbers: Vec<u64> = (0..5).collect();
    for text in [SELF, PERTURBED] {
        let rule = rule(text);
        for sampler in [
            Sampler::Ddpm,
            Sampler::Ddim,
            Sampler::Dpmpp2m,
            Sampler::Heun,
        ] {
            let together = images(&numbers, sampler, &rule);
            let parts = numbers
                .chunks(2)
                .flat_map(|part| images(part, sampler, &rule));
            assert_eq!(parts.collect::<Vec<_>>(), together, "{text} by {sampler:?}");
        }
    }
}

#[test]
fn what_a_net_does_not_have_is_refused_with_what_it_has() {
    let world = World::new(&[0]);
    let arch = Arch::Unet(world.arch.clone());
    let refused = |text: &str, arch: &Arch| match Degraded::of(&rule(text), arch) {
        Ok(_) => panic!("{text} is taken"),
        Err(error) => error.to_string(),
    };
    let blocks = "blocks = [\"middle_block.1\", \"input_blocks.1.1\"]";
    assert_eq!(
        refused(&format!("{PERTURBED}\n{blocks}"), &arch),
        "guidance.blocks: \"input_blocks.1.1\" is not an attention block of the net\n\
         hint: it has \"input_blocks.3.1\", \"middle_block.1\", \"output_blocks.0.1\", \"output_blocks.1.1\""
    );
    assert_eq!(
        refused(&format!("{SELF}\nblur = {{ kernel = 33 }}"), &arch),
        "guidance.blur.kernel = 33 is too wide for images of 16 pixels, which an edge mirrors once; 1 to 31 are allowed\n\
         hint: leave it out"
    );
    let (features, _) = presets::arch("shapes-features").unwrap();
    assert_eq!(
        refused(SELF, &features),
        "guidance by attention needs a net with attention blocks, and a feature net has none\n\
         hint: set another guidance.method"
    );
    let free = rule("method = \"classifier-free\"\nscale = 3");
    assert!(Degraded::of(&free, &arch).unwrap().is_none());
}
