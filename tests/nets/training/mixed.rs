//! Mixed precision: blocks in bfloat16, all that is trained in f32.

use crate::support::archs::{arch_of_config, variables};
use crate::support::golden::{Case, cases, values};
use crate::support::tensors::normal;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use fidrunner::experiment::file::experiment::Train;
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::kernels::gradients::checkpoint::Activations;
use fidrunner::kernels::gradients::record::recording;
use fidrunner::nets::adm::layers::Dropout;
use fidrunner::nets::denoiser::Conditions;
use fidrunner::nets::inventory::tensors;
use fidrunner::nets::open::{Net, open_trained};
use fidrunner::stages::train::optimizer::adamw::AdamW;

/// A golden net with its inputs.
struct Golden {
    name: String,
    arch: Arch,
    x: Tensor,
    t: Tensor,
    labels: Option<Tensor>,
    low: Option<Tensor>,
    weights: Vec<(String, Tensor)>,
}

impl Golden {
    fn of(case: &Case) -> Golden {
        let arch = arch_of_config(case.text("kind"), &case.value["config"]);
        let stored = case.arrays();
        let mut named = variables(&arch, case.text("prefix")).0;
        // In the order of the net.
        let weights = tensors(&arch).unwrap().into_iter().map(|entry| {
            let weight = named.remove(&entry.name).expect("a weight");
            (entry.name, weight.as_tensor().detach())
        });
        Golden {
            name: case.name.clone(),
            weights: weights.collect(),
            arch,
            x: stored["x"].clone(),
            t: stored["t"].clone(),
            labels: stored.get("y").map(|y| y.to_dtype(DType::U32).unwrap()),
            low: stored.get("low_res").cloned(),
        }
    }

    fn all() -> Vec<Golden> {
        let kinds = ["unet", "superres", "classifier"];
        let cases = kinds.into_iter().flat_map(|kind| cases("models", kind));
        cases.map(|case| Golden::of(&case)).collect()
    }

    fn optimizer(&self) -> AdamW {
        let train: Train = toml::from_str(
            "data = 'shapes'\nsteps = 9\nbatch = 1\nlearning_rate = 0.01\nema = 0.9",
        )
        .expect("a training");
        AdamW::new(self.weights.clone(), &train).expect("an optimizer")
    }

    fn answer(&self, vb: VarBuilder, asked: &Asked) -> Result<Tensor> {
        let dropout = Dropout::new(asked.dropout, 1, 2);
        match open_trained(&self.arch, vb)? {
            Net::Denoiser(net) => {
                let given = Conditions {
                    labels: self.labels.as_ref(),
                    low: self.low.as_ref(),
                    dropout: Some(&dropout),
                    activations: asked.activations,
                    ..Conditions::default()
                };
                net.denoise(&self.x, &self.t, &given)
            }
            Net::Classifier(net) => net.log_probs_with(&self.x, &self.t, asked.activations),
            Net::Features(_) => panic!("{} is no net of ADM's", self.name),
        }
    }

    /// The gradients of the sum of the answer's values, each times a random number, in every weight.
    fn gradients(&self, dtype: DType, asked: &Asked) -> Vec<Vec<f64>> {
        let adamw = self.optimizer();
        let vb = adamw.builder(&Device::Cpu).to_dtype(dtype);
        let (loss, record) = recording(|| {
            let answer = self.answer(vb, asked)?;
            assert_eq!(answer.dtype(), DType::F32, "{}", self.name);
            (&answer * normal(5, answer.shape(), 1.0)?)?.sum_all()
        });
        let grads = record.backward(&loss.unwrap()).unwrap();
        let gradients = adamw.gradients(grads).unwrap();
        assert!(gradients.iter().all(|g| g.dtype() == DType::F32));
        gradients.iter().map(values).collect()
    }
}

struct Asked {
    dropout: f64,
    activations: Activations,
}

const PLAIN: Asked = Asked {
    dropout: 0.0,
    activations: Activations::Kept,
};

fn square(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum()
}

/// The root of the mean square of the differences of all gradients over that of `want`; and the same of the weight where it is
/// largest, of those with a thousandth of the largest gradient.
fn apart(got: &[Vec<f64>], want: &[Vec<f64>]) -> (f64, f64) {
    let sizes: Vec<f64> = want.iter().map(|w| square(w.iter().copied())).collect();
    let errors: Vec<f64> = got
        .iter()
        .zip(want)
        .map(|(g, w)| square(g.iter().zip(w).map(|(g, w)| g - w)))
        .collect();
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let each = errors
        .iter()
        .zip(&sizes)
        .filter(|(_, s)| **s > 1e-6 * largest);
    let worst = each.map(|(e, s)| (e / s).sqrt()).fold(0.0, f64::max);
    let all = errors.iter().sum::<f64>() / sizes.iter().sum::<f64>();
    (all.sqrt(), worst)
}

#[test]
fn gradients_of_golden_nets_in_bfloat16_are_near_those_in_f32() {
    for net in Golden::all() {
        for dropout in [0.0, 0.1] {
            let asked = Asked { dropout, ..PLAIN };
            let want = net.gradients(DType::F32, &asked);
            let (all, worst) = apart(&net.gradients(DType::BF16, &asked), &want);
            println!(
                "{} dropout {dropout}: {all:.2e}, worst weight {worst:.2e}",
                net.name
            );
            // It is half precision, and not f32 by another name.
            assert!(all > 1e-4 && all < 3e-2 && worst < 1e-1, "{}", net.name);
        }
    }
}

#[test]
fn recomputed_activations_give_the_gradients_of_kept_ones() {
    for net in Golden::all() {
        let asked = |activations| Asked {
            dropout: 0.1,
            activations,
        };
        let [kept, again] = [Activations::Kept, Activations::Recomputed]
            .map(|activations| net.gradients(DType::BF16, &asked(activations)));
        let (all, worst) = apart(&again, &kept);
        println!("{}: {all:.2e}, worst weight {worst:.2e}", net.name);
        // A tensor's gradients are added up in another order, in numbers of 8 bits.
        assert!(all < 1e-2 && worst < 4e-2, "{}", net.name);
    }
}

#[test]
fn copies_follow_their_weights() {
    let nets = Golden::all();
    let net = &nets[0];
    let mut adamw = net.optimizer();
    let builder = adamw.builder(&Device::Cpu).to_dtype(DType::BF16);
    let Net::Denoiser(trained) = open_trained(&net.arch, builder).unwrap() else {
        panic!("{} is a UNet", net.name)
    };
    let given = Conditions {
        labels: net.labels.as_ref(),
        ..Conditions::default()
    };
    // The net as it is drawn with, of the weights as they are now.
    let asked = |adamw: &AdamW| {
        let now = adamw.tensors().into_iter();
        let now = now.map(|(name, weight)| (name, weight.detach().copy().unwrap()));
        let vb = VarBuilder::from_tensors(now.collect(), DType::F32, &Device::Cpu);
        values(&net.answer(vb.to_dtype(DType::BF16), &PLAIN).unwrap())
    };
    let answer = || values(&trained.denoise(&net.x, &net.t, &given).unwrap());
    let first = answer();
    assert_eq!(first, asked(&adamw));
    let ones = |adamw: &AdamW| -> Vec<Tensor> {
        let names = adamw.ema().unwrap().into_iter();
        names.map(|(_, w)| w.ones_like().unwrap()).collect()
    };
    adamw.update(&ones(&adamw), 0.01).unwrap();
    assert_ne!(answer(), first);
    assert_eq!(answer(), asked(&adamw));
    let saved = adamw.save().into_iter();
    let saved = saved.map(|(name, t)| (name, t.copy().unwrap())).collect();
    let moved = answer();
    adamw.restart(&net.weights).unwrap();
    assert_eq!(answer(), first);
    adamw.restore(1, &saved).unwrap();
    assert_eq!(answer(), moved);
}
