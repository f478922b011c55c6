//! Schedules, single steps and losses against the release's stored answers.

use crate::support::archs::process;
use crate::support::golden::{Case, cases, close, values};
use candle_core::{Device, Result, Tensor};
use fidrunner::diffusion::guidance::classifier::{condition_mean, condition_score};
use fidrunner::diffusion::likelihood::terms::{bound_term, prior_term};
use fidrunner::diffusion::process::at::At;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Mean, Output, Posterior, Reading, Variance};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::samplers::{ddim, ddpm};
use fidrunner::diffusion::training::loss::{Loss, Noised, training_losses};
use std::collections::HashMap;

/// Fails with the case's and the array's name.
fn agree(case: &Case, name: &str, ours: &[f64], theirs: &Tensor, allowed: f64) {
    if let Err(error) = close(ours, &values(theirs), allowed) {
        panic!("{} {name}: {error}", case.name);
    }
}

#[test]
fn schedules_agree_with_the_release() {
    for case in cases("models", "schedule") {
        let stored = case.arrays();
        let s = Schedule::new(&process(&case), case.text("respacing")).unwrap();
        let map: Vec<f64> = s.timesteps.iter().map(|t| *t as f64).collect();
        assert_eq!(map, values(&stored["timestep_map"]), "{}", case.name);
        for (name, ours) in [
            ("betas", &s.betas),
            ("alphas_cumprod", &s.alpha_bar),
            ("posterior_variance", &s.posterior_variance),
            ("posterior_log_variance_clipped", &s.posterior_log_variance),
            ("posterior_mean_coef1", &s.posterior_x0),
            ("posterior_mean_coef2", &s.posterior_xt),
            ("sqrt_recip_alphas_cumprod", &s.recip),
            ("sqrt_recipm1_alphas_cumprod", &s.recipm1),
        ] {
            agree(&case, name, ours, &stored[name], 1e-9);
        }
    }
}

fn output(case: &Case) -> Output {
    Output {
        mean: match case.text("mean_type") {
            "EPSILON" => Mean::Epsilon,
            "START_X" => Mean::StartX,
            "PREVIOUS_X" => Mean::PreviousX,
            other => panic!("{other}"),
        },
        variance: match case.text("var_type") {
            "LEARNED" => Variance::Learned,
            "LEARNED_RANGE" => Variance::LearnedRange,
            "FIXED_LARGE" => Variance::FixedLarge,
            "FIXED_SMALL" => Variance::FixedSmall,
            other => panic!("{other}"),
        },
    }
}

fn loss(case: &Case) -> Loss {
    match case.text("loss_type") {
        "MSE" => Loss::Mse,
        "RESCALED_MSE" => Loss::RescaledMse,
        "KL" => Loss::Kl,
        "RESCALED_KL" => Loss::RescaledKl,
        other => panic!("{other}"),
    }
}

/// One stored step: its schedule, its inputs, and the answers it is held against.
struct Step {
    case: Case,
    schedule: Schedule,
    stored: HashMap<String, Tensor>,
    places: Vec<usize>,
}

impl Step {
    fn all() -> Vec<Step> {
        let open = |case: Case| {
            let stored = case.arrays();
            Step {
                schedule: Schedule::new(&process(&case), case.text("respacing")).unwrap(),
                places: values(&stored["t"]).iter().map(|t| *t as usize).collect(),
                stored,
                case,
            }
        };
        cases("models", "diffusion_step")
            .into_iter()
            .map(open)
            .collect()
    }

    fn at(&self) -> At<'_> {
        At::Each(&self.places)
    }

    fn reading(&self, clamp: Clamp) -> Reading<'_> {
        Reading {
            schedule: &self.schedule,
            output: output(&self.case),
            clamp,
        }
    }

    fn posterior(&self, clamp: Clamp) -> Posterior {
        let (answer, x) = (&self.stored["model_output"], &self.stored["x"]);
        self.reading(clamp).posterior(answer, x, self.at()).unwrap()
    }

    fn is(&self, name: &str, ours: Result<Tensor>) {
        agree(
            &self.case,
            name,
            &values(&ours.unwrap()),
            &self.stored[name],
            1e-5,
        );
    }
}

/// x0, x and gradient [n, c, h, w] of images on steps of their own → the guided x0.
pub(super) fn by_score(s: &Schedule, places: &[usize], tensors: [&Tensor; 3]) -> Tensor {
    let each = places.iter().enumerate().map(|(image, &i)| {
        let [x0, x, pull] = tensors.map(|t| t.narrow(0, image, 1).unwrap());
        condition_score(s.level(i), &x0, &x, &pull).unwrap()
    });
    Tensor::cat(&each.collect::<Vec<_>>(), 0).unwrap()
}

#[test]
fn single_steps_agree_with_the_release() {
    for step in Step::all() {
        let (s, at, x) = (&step.schedule, step.at(), &step.stored["x"]);
        let (noise, pull) = (&step.stored["noise"], &step.stored["guidance_grad"]);
        let n = step.places.len();
        step.is("t_seen_by_model", s.clock(at, n, &Device::Cpu));
        let posterior = step.posterior(Clamp::Unit);
        step.is("mean", Ok(posterior.mean.clone()));
        step.is("variance", posterior.variance());
        step.is("log_variance", Ok(posterior.log_variance.clone()));
        step.is("pred_xstart", Ok(posterior.x0.clone()));
        step.is("pred_xstart_unclipped", Ok(step.posterior(Clamp::None).x0));
        let mean = condition_mean(&posterior, pull).unwrap();
        step.is("guided_mean", Ok(mean.clone()));
        step.is(
            "ddpm_sample",
            ddpm::step(&mean, &posterior.log_variance, noise, at),
        );
        let x0 = by_score(s, &step.places, [&posterior.x0, x, pull]);
        step.is("guided_score_pred_xstart", Ok(x0.clone()));
        step.is("guided_score_mean", s.posterior_mean(&x0, x, at));
        step.is("ddim_sample_eta0", ddim::step(s, x, &x0, at, 0.0, None));
        let x0 = &posterior.x0;
        step.is(
            "ddim_sample_eta1_unguided",
            ddim::step(s, x, x0, at, 1.0, Some(noise)),
        );
        step.is("ddim_reverse", ddim::reverse(s, x, x0, at));
    }
}

#[test]
fn losses_and_bounds_agree_with_the_release() {
    for step in Step::all() {
        let (s, at) = (&step.schedule, step.at());
        let (x0, noise) = (&step.stored["x0"], &step.stored["noise"]);
        let answer = &step.stored["model_output"];
        let batch = Noised::new(s, x0, noise, &step.places).unwrap();
        step.is("x_t", Ok(batch.x.clone()));
        let posterior = step
            .reading(Clamp::Unit)
            .posterior(answer, &batch.x, at)
            .unwrap();
        step.is("vb_bpd", bound_term(s, &posterior, x0, &batch.x, at));
        step.is("prior_bpd", prior_term(s, x0));
        let output = output(&step.case);
        let losses = training_losses(loss(&step.case), s, output, &batch, answer).unwrap();
        step.is("loss", Ok(losses.loss));
        for (name, term) in [("loss_mse", losses.mse), ("loss_vb", losses.vb)] {
            assert_eq!(term.is_some(), step.stored.contains_key(name), "{name}");
            if let Some(term) = term {
                step.is(name, Ok(term));
            }
        }
    }
}

#[test]
fn a_batch_at_one_step_is_the_same_images_one_by_one() {
    for step in Step::all() {
        for (k, &i) in step.places.iter().enumerate() {
            let one = |name: &str| step.stored[name].narrow(0, k, 1).unwrap();
            let (answer, x) = (one("model_output"), one("x"));
            let posterior = step
                .reading(Clamp::Unit)
                .posterior(&answer, &x, At::All(i))
                .unwrap();
            let together = step.posterior(Clamp::Unit);
            for (alone, all) in [
                (&posterior.mean, &together.mean),
                (&posterior.log_variance, &together.log_variance),
                (&posterior.x0, &together.x0),
            ] {
                let all = all.narrow(0, k, 1).unwrap();
                close(&values(alone), &values(&all), 1e-6).unwrap();
            }
        }
    }
}
