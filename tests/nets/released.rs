//! The released checkpoints: every name and shape from their flags, the presets, and a full forward of the 64 pixel release.

use crate::support::archs::{arch_of_flags, variables};
use crate::support::golden::{cases, close, distance, json, same_shapes, shapes, values};
use candle_core::{DType, Tensor, Var};
use fidrunner::experiment::nets::arch::{Arch, NoiseSchedule, Trunk};
use fidrunner::experiment::nets::presets;
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::inventory;
use serde_json::Value;
use std::collections::HashMap;

/// The presets and the files of the release that they describe.
const FILES: [(&str, &str); 12] = [
    ("imagenet64", "64x64_diffusion.pt"),
    ("imagenet128", "128x128_diffusion.pt"),
    ("imagenet256", "256x256_diffusion.pt"),
    ("imagenet256-uncond", "256x256_diffusion_uncond.pt"),
    ("imagenet512", "512x512_diffusion.pt"),
    ("imagenet64-to-256", "64_256_upsampler.pt"),
    ("imagenet128-to-512", "128_512_upsampler.pt"),
    ("lsun-bedroom", "lsun_bedroom.pt"),
    ("imagenet64-classifier", "64x64_classifier.pt"),
    ("imagenet128-classifier", "128x128_classifier.pt"),
    ("imagenet256-classifier", "256x256_classifier.pt"),
    ("imagenet512-classifier", "512x512_classifier.pt"),
];

fn of_flags(checkpoint: &Value) -> Arch {
    arch_of_flags(checkpoint["kind"].as_str().unwrap(), &checkpoint["flags"])
}

#[test]
fn every_released_name_and_shape_follows_from_its_flags() {
    let released = json("checkpoints/released_checkpoints.json");
    for (file, checkpoint) in released.as_object().unwrap() {
        let entries = inventory::tensors(&of_flags(checkpoint)).unwrap();
        let count: usize = entries
            .iter()
            .map(|e| e.shape.iter().product::<usize>())
            .sum();
        let ours: Vec<_> = entries.into_iter().map(|e| (e.name, e.shape)).collect();
        same_shapes(file, &ours, &shapes(&checkpoint["state_dict"]));
        assert_eq!(
            ours.len() as u64,
            checkpoint["tensors"].as_u64().unwrap(),
            "{file}"
        );
        assert_eq!(
            count as u64,
            checkpoint["parameters"].as_u64().unwrap(),
            "{file}"
        );
    }
}

fn trunk(arch: &mut Arch) -> &mut Trunk {
    match arch {
        Arch::Unet(net) | Arch::SuperRes(net) => &mut net.trunk,
        Arch::Classifier(net) => &mut net.trunk,
        Arch::Features(_) => panic!("a feature net has no trunk"),
    }
}

#[test]
fn the_presets_are_the_released_flags() {
    let released = json("checkpoints/released_checkpoints.json");
    for (preset, file) in FILES {
        let (mut ours, process) = presets::arch(preset).unwrap();
        let checkpoint = &released[file];
        let mut theirs = of_flags(checkpoint);
        for arch in [&mut ours, &mut theirs] {
            let trunk = trunk(arch);
            if trunk.channels_per_head.is_some() {
                trunk.heads = 1; // without effect
            }
        }
        assert_eq!(ours, theirs, "{preset}");
        let diffusion = &checkpoint["diffusion"];
        if let Some(schedule) = diffusion["noise_schedule"].as_str() {
            let cosine = schedule == "cosine";
            assert_eq!(
                process.schedule == NoiseSchedule::Cosine,
                cosine,
                "{preset}"
            );
            assert_eq!(
                process.timesteps as u64,
                diffusion["diffusion_steps"].as_u64().unwrap()
            );
        }
    }
}

#[test]
fn every_preset_can_be_built() {
    for name in presets::NAMES {
        let (arch, _) = presets::arch(name).unwrap();
        assert!(!inventory::tensors(&arch).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn the_full_64_pixel_release_answers_as_the_reference_does() {
    let released = json("checkpoints/released_checkpoints.json");
    for case in cases("release", "release") {
        let stored = case.arrays();
        let y = stored.get("y").map(|y| y.to_dtype(DType::U32).unwrap());
        let (x, t) = (&stored["x"], &stored["t"]);
        let arch = of_flags(&released[case.text("unet")]);
        let Arch::Unet(made) = &arch else {
            panic!("not a UNet")
        };
        let net = Unet::new(made, variables(&arch, case.text("unet_prefix")).1).unwrap();
        let out = net.forward(x, t, y.as_ref(), None).unwrap();
        report("unet_out", &out, &stored);
        drop(net);
        let arch = of_flags(&released[case.text("classifier")]);
        let Arch::Classifier(made) = &arch else {
            panic!("not a classifier")
        };
        let vb = variables(&arch, case.text("classifier_prefix")).1;
        let net = Classifier::new(made, vb).unwrap();
        let x = Var::from_tensor(x).unwrap();
        let y = y.unwrap().unsqueeze(1).unwrap();
        let logits = net.logits(&x, t).unwrap();
        report("classifier_logits", &logits, &stored);
        let chosen = net.log_probs(&x, t).unwrap().gather(&y, 1).unwrap();
        let grads = chosen.sum_all().unwrap().backward().unwrap();
        report("classifier_grad_x", grads.get(&x).unwrap(), &stored);
    }
}

/// Passes when the answer called `what` is the stored one, and says how near it is.
fn report(what: &str, ours: &Tensor, stored: &HashMap<String, Tensor>) {
    let (ours, theirs) = (values(ours), values(&stored[what]));
    println!("{what}: off by {:.1e}", distance(&ours, &theirs).unwrap());
    close(&ours, &theirs, 1e-4).unwrap();
}
