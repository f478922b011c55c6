//! Whole nets on the GPU against the reference's answers and the CPU, and a training step.

use crate::gpu::{gpu, off};
use crate::support::archs::{arch_of_config, variables};
use crate::support::golden::{Case, cases, distance, tensor, values};
use crate::support::inception;
use crate::support::tensors::normal;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use fidrunner::diffusion::guidance::classifier::class_gradient;
use fidrunner::experiment::file::experiment::Train;
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::kernels::gradients::record::recording;
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::inception::net::{Inception, SIDE, Taps};
use fidrunner::nets::inventory;
use fidrunner::stages::train::optimizer::adamw::AdamW;

/// Of the largest value: answers of whole nets, as on the CPU.
const NETS: f64 = 1e-4;

/// Tensors by name.
type Named = Vec<(String, Tensor)>;

/// The case's weights on the GPU.
fn there(
    arch: &Arch,
    case: &Case,
) -> (std::collections::HashMap<String, Var>, VarBuilder<'static>) {
    let vars: std::collections::HashMap<String, Var> = variables(arch, case.text("prefix"))
        .0
        .into_iter()
        .map(|(name, v)| {
            (
                name,
                Var::from_tensor(&v.to_device(&gpu()).unwrap()).unwrap(),
            )
        })
        .collect();
    let tensors = vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone()));
    let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &gpu());
    (vars, vb)
}

#[test]
fn unets_answer_as_the_reference_does_and_have_its_gradients() -> Result<()> {
    for case in cases("models", "unet") {
        let arch = arch_of_config(case.text("kind"), &case.value["config"]);
        let (vars, vb) = there(&arch, &case);
        let Arch::Unet(made) = arch else {
            panic!("{} is not a UNet", case.name)
        };
        let stored = case.arrays();
        let on = |name: &str| stored[name].to_device(&gpu()).unwrap();
        let y = stored
            .get("y")
            .map(|y| y.to_dtype(DType::U32).unwrap().to_device(&gpu()).unwrap());
        let x = Var::from_tensor(&on("x"))?;
        let out = Unet::new(&made, vb.clone())?.forward(&x, &on("t"), y.as_ref(), None)?;
        let far = off(&out, &stored["out"]);
        let key = format!("{}input.cotangent", case.text("prefix"));
        let cotangent = Tensor::from_vec(tensor("", &key, out.dims()), out.shape(), &gpu())?;
        let grads = (out * cotangent)?.sum_all()?.backward()?;
        let grad = off(grads.get(&x).expect("a gradient"), &stored["grad_x"]);
        let weight = &vars["input_blocks.0.0.weight"];
        let first = off(
            grads.get(weight).expect("a gradient"),
            &stored["grad_in_conv"],
        );
        println!(
            "{:24} {far:.1e}, gradients {grad:.1e} and {first:.1e}",
            case.name
        );
        assert!(far.max(grad).max(first) <= NETS, "{}", case.name);
        for (dtype, allowed) in [(DType::F16, 1e-2), (DType::BF16, 1e-1)] {
            let half = Unet::new(&made, vb.to_dtype(dtype))?;
            let far = off(
                &half.forward(&on("x"), &on("t"), y.as_ref(), None)?,
                &stored["out"],
            );
            println!("{:24} {dtype:?} {far:.1e}", case.name);
            assert!(
                far <= allowed,
                "{} {dtype:?} is off by {far:.1e}",
                case.name
            );
        }
    }
    Ok(())
}

#[test]
fn recorded_gradients_are_those_of_candle() -> Result<()> {
    for case in cases("models", "unet") {
        let arch = arch_of_config(case.text("kind"), &case.value["config"]);
        let (vars, vb) = there(&arch, &case);
        let Arch::Unet(made) = arch else {
            panic!("{} is not a UNet", case.name)
        };
        let stored = case.arrays();
        let on = |name: &str| stored[name].to_device(&gpu()).unwrap();
        let y = stored.get("y");
        let y = y.map(|y| y.to_dtype(DType::U32).unwrap().to_device(&gpu()).unwrap());
        for dtype in [DType::F32, DType::BF16] {
            let net = Unet::new(&made, vb.clone().to_dtype(dtype))?;
            let x = Var::from_tensor(&on("x"))?;
            let loss = || {
                net.forward(&x, &on("t"), y.as_ref(), None)?
                    .sqr()?
                    .mean_all()
            };
            let want = loss()?.backward()?;
            let (recorded, record) = recording(loss);
            let got = record.backward(&recorded?)?;
            for (name, var) in vars.iter().chain([(&"x".to_string(), &x)]) {
                let both = (got.get(var), want.get(var));
                let (Some(got), Some(want)) = both else {
                    panic!("{name}: {both:?}")
                };
                assert_eq!(values(got), values(want), "{} {dtype:?} {name}", case.name);
            }
        }
    }
    Ok(())
}

#[test]
fn classifiers_guide_as_the_reference_does() -> Result<()> {
    for case in cases("models", "classifier") {
        let arch = arch_of_config(case.text("kind"), &case.value["config"]);
        let (_, vb) = there(&arch, &case);
        let Arch::Classifier(made) = arch else {
            panic!("{} is no classifier", case.name)
        };
        let stored = case.arrays();
        let on = |name: &str| stored[name].to_device(&gpu()).unwrap();
        let net = Classifier::new(&made, vb)?;
        let far = off(&net.logits(&on("x"), &on("t"))?, &stored["logits"]);
        println!("{:24} {far:.1e}", case.name);
        assert!(far <= NETS, "{} is off by {far:.1e}", case.name);
        let Some(y) = stored.get("y") else { continue };
        let log_probs = |x: &Tensor, t: &Tensor| net.log_probs(x, t);
        let y = y.to_dtype(DType::U32)?.to_device(&gpu())?;
        let pull = class_gradient(&log_probs, &y, &on("x"), &on("t"))?;
        assert!(
            values(&pull).iter().any(|v| *v != 0.0),
            "{}: no pull",
            case.name
        );
    }
    Ok(())
}

#[test]
fn inception_sees_what_it_sees_on_the_cpu() -> Result<()> {
    let weights = inception::weights(&inception::case());
    let get = |name: &str| Ok(weights[name].clone());
    let x = normal(16, (2, 3, SIDE, SIDE), 0.5)?;
    let here = Inception::new(&get, &Device::Cpu)?.forward(&x, Taps::ALL)?;
    let there = Inception::new(&get, &gpu())?.forward(&x.to_device(&gpu())?, Taps::ALL)?;
    for name in [
        "64",
        "192",
        "768",
        "2048",
        "spatial_2023",
        "logits",
        "logits_unbiased",
    ] {
        let off = off(inception::tap(&there, name), inception::tap(&here, name));
        println!("{name:16} {off:.1e}");
        assert!(off <= NETS, "{name} is off by {off:.1e}");
    }
    Ok(())
}

/// A released net at its size, with weights of which none is zero.
#[test]
fn the_64_pixel_release_answers_as_on_the_cpu() -> Result<()> {
    let (arch, _) = fidrunner::experiment::nets::presets::arch("imagenet64").expect("a preset");
    let weights: Vec<(String, Tensor)> = inventory::initial(&arch, 0)?
        .into_iter()
        .enumerate()
        .map(|(i, (name, w))| Ok((name, (&w + normal(i as u64, w.shape(), 0.02)?)?)))
        .collect::<Result<_>>()?;
    let Arch::Unet(made) = &arch else {
        panic!("not a UNet")
    };
    let (x, y) = (
        normal(17, (2, 3, 64, 64), 1.0)?,
        Tensor::new(&[7u32, 900], &Device::Cpu)?,
    );
    let t = Tensor::new(&[500f32, 20.0], &Device::Cpu)?;
    let run = |device: &Device, dtype: DType| -> Result<Tensor> {
        let all = weights
            .iter()
            .map(|(n, w)| Ok((n.clone(), w.to_device(device)?)));
        let vb = VarBuilder::from_tensors(all.collect::<Result<_>>()?, DType::F32, device);
        let at = |t: &Tensor| t.to_device(device);
        Unet::new(made, vb.to_dtype(dtype))?.forward(&at(&x)?, &at(&t)?, Some(&at(&y)?), None)
    };
    let want = run(&Device::Cpu, DType::F32)?;
    for (dtype, allowed) in [(DType::F32, NETS), (DType::F16, 2e-2), (DType::BF16, 1e-1)] {
        let off = off(&run(&gpu(), dtype)?, &want);
        println!("imagenet64 {dtype:?}: {off:.1e}");
        assert!(off <= allowed, "{dtype:?} is off by {off:.1e}");
    }
    Ok(())
}

#[test]
fn training_moves_the_weights_as_on_the_cpu() -> Result<()> {
    let spec: Train = toml::from_str(
        "data = 'shapes'\nsteps = 3\nbatch = 4\nlearning_rate = 1e-3\nweight_decay = 0.1",
    )
    .expect("a table");
    let (arch, _) = fidrunner::experiment::nets::presets::arch("shapes16").expect("a preset");
    let Arch::Unet(made) = &arch else {
        panic!("not a UNet")
    };
    let (x, y) = (
        normal(18, (4, 3, 16, 16), 1.0)?,
        Tensor::new(&[0u32, 1, 2, 3], &Device::Cpu)?,
    );
    let t = Tensor::new(&[900f32, 500.0, 100.0, 3.0], &Device::Cpu)?;
    let noise = normal(19, (4, 3, 16, 16), 1.0)?;
    let run = |device: &Device| -> Result<(Vec<f64>, Named)> {
        let start = inventory::initial(&arch, 0)?
            .into_iter()
            .map(|(n, w)| Ok((n, w.to_device(device)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut adamw = AdamW::new(start, &spec).expect("an optimizer");
        let net = Unet::new(
            made,
            VarBuilder::from_tensors(adamw.tensors(), DType::F32, device),
        )?;
        let at = |t: &Tensor| t.to_device(device);
        let mut losses = Vec::new();
        for _ in 0..3 {
            let out = net.forward(&at(&x)?, &at(&t)?, Some(&at(&y)?), None)?;
            let loss = (out.narrow(1, 0, 3)? - at(&noise)?)?.sqr()?.mean_all()?;
            let loss = (loss + out.narrow(1, 3, 3)?.sqr()?.mean_all()?)?;
            losses.push(f64::from(loss.to_scalar::<f32>()?));
            let gradients = adamw.gradients(loss.backward()?).expect("gradients");
            adamw.update(&gradients, 1e-3).expect("an update");
        }
        Ok((losses, adamw.ema().expect("weights")))
    };
    let ((here, _), (there, weights)) = (run(&Device::Cpu)?, run(&gpu())?);
    println!("losses {here:?} and {there:?}");
    // Adam divides by the gradient's size: what is rounding in one step is a step in the next.
    assert!(
        distance(&there, &here).expect("numbers") <= 1e-3,
        "{there:?} {here:?}"
    );
    assert!(there[2] < there[0], "{there:?}");
    let (_, again) = run(&gpu())?;
    for ((name, a), (_, b)) in weights.iter().zip(&again) {
        assert_eq!(values(a), values(b), "{name} trained twice");
    }
    Ok(())
}
