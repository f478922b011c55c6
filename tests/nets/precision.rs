//! Nets in half precision: which weights are halves, how far the answers move, and that a batch changes nothing.

use crate::support::archs::{arch_of_config, variables};
use crate::support::golden::{Case, cases, values};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use fidrunner::experiment::nets::arch::{Arch, UnetArch};
use fidrunner::experiment::nets::presets;
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::unet::Unet;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How far the release's own `convert_to_fp16` moves a golden net's answer from f32, and the same with bfloat16: the root
/// of the mean square over that of the answer (guided-diffusion 22e0df8, PyTorch 2.15 on the CPU).
const RELEASE: [(&str, f64, f64); 4] = [
    ("unet_adm_mini", 2.086e-3, 1.686e-2),
    ("unet_adm_legacy_order", 2.005e-3, 1.563e-2),
    ("unet_ddpm_additive", 1.624e-3, 1.195e-2),
    ("unet_no_conv_resample", 1.895e-3, 1.770e-2),
];

fn unet(case: &Case) -> UnetArch {
    match arch_of_config(case.text("kind"), &case.value["config"]) {
        Arch::Unet(arch) => arch,
        _ => panic!("{} is not a UNet", case.name),
    }
}

fn build(case: &Case, dtype: DType) -> Unet {
    let arch = unet(case);
    let vb = variables(&Arch::Unet(arch.clone()), case.text("prefix")).1;
    Unet::new(&arch, vb.to_dtype(dtype)).unwrap()
}

/// Arguments of a case: x, t and the labels.
fn inputs(case: &Case) -> (Tensor, Tensor, Option<Tensor>) {
    let stored = case.arrays();
    let y = stored.get("y").map(|y| y.to_dtype(DType::U32).unwrap());
    (stored["x"].clone(), stored["t"].clone(), y)
}

#[test]
fn half_precision_moves_the_answer_no_further_than_the_releases_own() {
    for (name, f16, bf16) in RELEASE {
        let all = cases("models", "unet");
        let case = all.iter().find(|case| case.name == name).expect(name);
        let (x, t, y) = inputs(case);
        let wanted = values(&case.arrays()["out"]);
        for (dtype, allowed) in [(DType::F16, f16), (DType::BF16, bf16)] {
            let out = build(case, dtype)
                .forward(&x, &t, y.as_ref(), None)
                .unwrap();
            assert_eq!(out.dtype(), DType::F32, "the answer has the type of x");
            let ours = values(&out);
            let square = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>();
            let off = square(&mut ours.iter().zip(&wanted).map(|(a, b)| a - b));
            let off = (off / square(&mut wanted.iter().copied())).sqrt();
            println!("{name} {dtype:?}: {off:.3e}, the release {allowed:.3e}");
            // It is half precision, and not f32 by another name.
            assert!(
                off > allowed / 20.0 && off <= allowed,
                "{name} {dtype:?}: {off}"
            );
        }
    }
}

#[test]
fn an_image_in_half_precision_is_the_same_in_any_batch() {
    let all = cases("models", "unet");
    let case = &all[0];
    let (x, t, y) = inputs(case);
    for dtype in [DType::F16, DType::BF16] {
        let net = build(case, dtype);
        let together = net.forward(&x, &t, y.as_ref(), None).unwrap();
        for i in 0..2 {
            let y = y.as_ref().map(|y| y.narrow(0, i, 1).unwrap());
            let (x, t) = (x.narrow(0, i, 1).unwrap(), t.narrow(0, i, 1).unwrap());
            let alone = net.forward(&x, &t, y.as_ref(), None).unwrap();
            assert_eq!(values(&alone), values(&together.narrow(0, i, 1).unwrap()));
        }
    }
}

/// Notes in which type a net asks for each tensor, and hands out views of a single zero.
struct Asked(Arc<Mutex<BTreeMap<String, DType>>>);

impl SimpleBackend for Asked {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.0.lock().unwrap().insert(name.to_string(), dtype);
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        panic!("`{name}` was asked for without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

#[test]
fn the_convolutions_of_the_blocks_are_halves_and_nothing_else_is() {
    for preset in ["imagenet64", "imagenet512", "imagenet64-to-256"] {
        let Some((Arch::Unet(arch) | Arch::SuperRes(arch), _)) = presets::arch(preset) else {
            panic!("{preset} is no UNet")
        };
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let backend = Box::new(Asked(asked.clone()));
        let vb = VarBuilder::from_backend(backend, DType::F16, Device::Cpu);
        drop(Unet::new(&arch, vb).unwrap());
        let asked = asked.lock().unwrap();
        for (name, dtype) in asked.iter() {
            let layer = name.rsplit_once('.').map_or("", |(layer, _)| layer);
            let block = ["input_blocks.", "middle_block.", "output_blocks."];
            // Conv1d and Conv2d, by the release's names for them.
            let convolution = layer == "input_blocks.0.0"
                || [
                    "in_layers.2",
                    "out_layers.3",
                    "skip_connection",
                    "qkv",
                    "proj_out",
                ]
                .iter()
                .any(|end| layer.ends_with(end));
            let half = convolution && block.iter().any(|b| name.starts_with(b));
            let wanted = if half { DType::F16 } else { DType::F32 };
            assert_eq!(*dtype, wanted, "{preset}: {name}");
        }
        assert!(asked.values().any(|d| *d == DType::F16));
    }
}

#[test]
fn classifiers_of_every_pool_answer_in_halves() {
    for case in cases("models", "classifier") {
        let Arch::Classifier(arch) = arch_of_config("classifier", &case.value["config"]) else {
            panic!("{} is not a classifier", case.name)
        };
        let (x, t, _) = inputs(&case);
        let answer = |dtype| {
            let vb = variables(&Arch::Classifier(arch.clone()), case.text("prefix")).1;
            let net = Classifier::new(&arch, vb.to_dtype(dtype)).unwrap();
            let answer = net.log_probs(&x, &t).unwrap();
            values(&answer.to_dtype(DType::F32).unwrap())
        };
        let (exact, halves) = (answer(DType::F32), answer(DType::F16));
        let far = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs();
        let apart = halves.iter().zip(&exact).map(far).fold(0.0, f64::max);
        println!("{}: {apart:.1e}", case.name);
        assert!(apart > 0.0 && apart < 5e-3, "{}: {apart}", case.name);
    }
}
