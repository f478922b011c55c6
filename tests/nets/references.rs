//! The nets against the reference program: names, outputs and gradients of every case.

use crate::support::archs::{arch_of_config, variables};
use crate::support::golden::{Case, cases, distance, same_shapes, tensor, values};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::resize::{Filter, resize};
use fidrunner::nets::adm::unet::{SuperRes, Unet};
use fidrunner::nets::inventory;
use std::collections::HashMap;

/// Of the largest value, for outputs, gradients and features.
const TOLERANCE: f64 = 1e-4;

fn agrees(case: &Case, what: &str, ours: &Tensor, stored: &HashMap<String, Tensor>) {
    let theirs = stored
        .get(what)
        .unwrap_or_else(|| panic!("{} stores no {what}", case.name));
    assert_eq!(ours.dims(), theirs.dims(), "{} {what}", case.name);
    let off = distance(&values(ours), &values(theirs));
    let off = off.unwrap_or_else(|e| panic!("{} {what}: {e}", case.name));
    println!("{:24} {what:20} {off:.1e}", case.name);
    assert!(off <= TOLERANCE, "{} {what} is off by {off:.3e}", case.name);
}

/// The case's architecture, after a check that it has exactly the reference's tensors, in order.
fn arch(case: &Case) -> Arch {
    let arch = arch_of_config(case.text("kind"), &case.value["config"]);
    let entries = inventory::tensors(&arch).unwrap();
    let ours: Vec<_> = entries.into_iter().map(|e| (e.name, e.shape)).collect();
    same_shapes(&case.name, &ours, &case.shapes());
    arch
}

fn labels(arrays: &HashMap<String, Tensor>) -> Option<Tensor> {
    arrays.get("y").map(|y| y.to_dtype(DType::U32).unwrap())
}

/// The parameters whose gradients the files store, by the names that the files give them.
const STORED: [(&str, &str); 3] = [
    ("grad_in_conv", "input_blocks.0.0.weight"),
    ("grad_out_bias", "out.2.bias"),
    ("grad_time_embed_0", "time_embed.0.weight"),
];

fn gradient<'a>(grads: &'a GradStore, of: &Tensor, name: &str) -> &'a Tensor {
    grads
        .get(of)
        .unwrap_or_else(|| panic!("{name} has no gradient"))
}

#[test]
fn unets_answer_as_the_reference_does_and_have_its_gradients() {
    for case in cases("models", "unet") {
        let Arch::Unet(made) = arch(&case) else {
            panic!("{} is not a UNet", case.name)
        };
        let stored = case.arrays();
        let (vars, vb) = variables(&Arch::Unet(made.clone()), case.text("prefix"));
        let net = Unet::new(&made, vb).unwrap();
        let x = Var::from_tensor(&stored["x"]).unwrap();
        let out = net
            .forward(&x, &stored["t"], labels(&stored).as_ref(), None)
            .unwrap();
        agrees(&case, "out", &out, &stored);
        // The stored gradients are of sum(out * tensor(prefix + "input.cotangent")): found by trial.
        let key = format!("{}input.cotangent", case.text("prefix"));
        let cotangent = Tensor::from_vec(tensor("", &key, out.dims()), out.shape(), &Device::Cpu);
        let grads = (out * cotangent.unwrap())
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        agrees(&case, "grad_x", gradient(&grads, &x, "x"), &stored);
        for (file, name) in STORED {
            agrees(&case, file, gradient(&grads, &vars[name], name), &stored);
        }
        for (name, var) in &vars {
            gradient(&grads, var, name);
        }
    }
}

#[test]
fn classifiers_answer_as_the_reference_does_and_guide_as_it_does() {
    for case in cases("models", "classifier") {
        let Arch::Classifier(made) = arch(&case) else {
            panic!("{} is not a classifier", case.name)
        };
        let stored = case.arrays();
        let (_, vb) = variables(&Arch::Classifier(made.clone()), case.text("prefix"));
        let net = Classifier::new(&made, vb).unwrap();
        let x = Var::from_tensor(&stored["x"]).unwrap();
        agrees(
            &case,
            "logits",
            &net.logits(&x, &stored["t"]).unwrap(),
            &stored,
        );
        let y = labels(&stored).unwrap().unsqueeze(1).unwrap();
        let log_probs = net.log_probs(&x, &stored["t"]).unwrap();
        let chosen = log_probs.gather(&y, 1).unwrap().squeeze(1).unwrap();
        agrees(&case, "log_prob", &chosen, &stored);
        let grads = chosen.sum_all().unwrap().backward().unwrap();
        agrees(&case, "grad_x", gradient(&grads, &x, "x"), &stored);
    }
}

#[test]
fn super_resolution_answers_as_the_reference_does() {
    for case in cases("models", "superres") {
        let Arch::SuperRes(made) = arch(&case) else {
            panic!("{} is not a super-resolution net", case.name)
        };
        let stored = case.arrays();
        let (_, vb) = variables(&Arch::SuperRes(made.clone()), case.text("prefix"));
        let net = SuperRes::new(&made, vb).unwrap();
        let (x, low) = (&stored["x"], &stored["low_res"]);
        let (_, _, h, w) = x.dims4().unwrap();
        let large = resize(low, h, w, Filter::Bilinear).unwrap();
        agrees(&case, "upsampled", &large, &stored);
        let out = net
            .forward(x, &stored["t"], low, labels(&stored).as_ref(), None)
            .unwrap();
        agrees(&case, "out", &out, &stored);
    }
}
