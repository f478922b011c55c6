//! The GPU against the CPU and the reference: every operation with its gradients, whole nets, a training step. Needs a
//! CUDA device: `cargo test --release --features cuda --test cuda`.

mod golden_files;
mod kernel_inputs;
mod rule_inception;

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::VarBuilder;
use golden_files::nets::{arch_of_config, variables};
use golden_files::{Case, cases, distance, tensor, values};
use kernel_inputs::normal;
use runner::diffusion::guidance::class_gradient;
use runner::kernels::tf32::in_tf32;
use runner::kernels::{attention::attention, conv::conv2d, maps, norm::group_norm, resample};
use runner::nets::inception::{Inception, SIDE, Taps};
use runner::nets::{classifier::Classifier, inventory, unet::Unet};
use runner::run::device::devices;
use runner::spec::arch::Arch;
use runner::spec::experiment::Train;
use runner::stages::optim::AdamW;
use std::sync::OnceLock;

/// Of the largest value: f32 sums in another order.
const F32: f64 = 2e-5;
/// Of the largest value: answers of whole nets, as on the CPU.
const NETS: f64 = 1e-4;

fn gpu() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || {
        devices(Some("cuda:0"))
            .expect("these tests need a CUDA device")
            .remove(0)
            .device
    };
    DEVICE.get_or_init(open).clone()
}

fn off(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.dims(), want.dims());
    distance(&values(got), &values(want)).unwrap_or_else(|e| panic!("{e}"))
}

/// What `run` makes of the inputs, and the gradients of a fixed weighted sum of it.
fn with_grads(run: &dyn Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let vars: Vec<Var> = inputs.iter().map(Var::from_tensor).collect::<Result<_>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = run(&tensors)?;
    let r = normal(99, y.shape(), 1.0)?.to_device(y.device())?;
    let grads = (y.to_dtype(DType::F32)? * r)?.sum_all()?.backward()?;
    let mut all = vec![y];
    all.extend(
        vars.iter()
            .map(|v| grads.get(v).expect("a gradient").clone()),
    );
    Ok(all)
}

/// The operation's result and gradients on the GPU are those of the CPU, in f32 and, within their rounding, in halves; and
/// the same bits twice.
fn agrees(name: &str, inputs: &[Tensor], run: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Result<()> {
    let want = with_grads(run, inputs)?;
    // An input rounded to halves moves a sum by up to its whole rounding; results are rounded once more.
    for (dtype, allowed) in [(DType::F32, F32), (DType::F16, 6e-3), (DType::BF16, 4e-2)] {
        let there: Vec<Tensor> = inputs
            .iter()
            .map(|t| t.to_device(&gpu())?.to_dtype(dtype))
            .collect::<Result<_>>()?;
        let got = with_grads(run, &there)?;
        for (part, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(got.dtype(), dtype, "{name}: the type of part {part}");
            let off = off(got, want);
            assert!(
                off <= allowed,
                "{name} {dtype:?}: part {part} is off by {off:.1e}"
            );
            println!("{name:32} {dtype:?} part {part}: {off:.1e}");
        }
        let again = with_grads(run, &there)?;
        for (part, (a, b)) in got.iter().zip(&again).enumerate() {
            assert_eq!(values(a), values(b), "{name} {dtype:?}: part {part} twice");
        }
    }
    Ok(())
}

/// n, channels in, rows, columns, channels out, kernel, stride, padding.
const CONVOLUTIONS: [[usize; 8]; 7] = [
    [3, 3, 16, 16, 32, 3, 1, 1],
    [2, 64, 32, 32, 64, 3, 1, 1],
    [2, 96, 9, 7, 33, 3, 1, 1],
    [2, 32, 16, 16, 64, 3, 2, 1],
    [2, 48, 64, 1, 144, 1, 1, 0],
    [2, 20, 17, 17, 70, 5, 1, 2],
    [1, 32, 64, 64, 6, 3, 1, 1],
];

#[test]
fn convolutions_are_those_of_the_cpu() -> Result<()> {
    for [n, ci, h, w, co, k, stride, pad] in CONVOLUTIONS {
        let inputs = [
            normal(1, (n, ci, h, w), 1.0)?,
            normal(2, (co, ci, k, k), 1.0 / ((ci * k * k) as f32).sqrt())?,
            normal(3, co, 1.0)?,
        ];
        let name = format!("conv {ci}->{co} {h}x{w} k{k} s{stride}");
        agrees(&name, &inputs, &|t| {
            conv2d(&t[0], &t[1], Some(&t[2]), stride, pad)
        })?;
        agrees(&name, &inputs[..2], &|t| {
            conv2d(&t[0], &t[1], None, stride, pad)
        })?;
    }
    Ok(())
}

#[test]
fn normalisations_are_those_of_the_cpu() -> Result<()> {
    for (shape, groups) in [
        (vec![3, 32, 16, 16], 32),
        (vec![2, 96, 8, 8], 32),
        (vec![2, 192, 64, 64], 32),
        (vec![2, 64, 256], 16),
        (vec![2, 64, 5, 5], 32),
    ] {
        let (n, c, shape) = (shape[0], shape[1], Shape::from(shape));
        // A mean far from zero, as nets have them.
        let x = (normal(4, &shape, 2.0)? + 1.5)?;
        let (gain, offset) = ((normal(5, c, 0.3)? + 1.0)?, normal(6, c, 0.3)?);
        let (scale, shift) = (normal(7, (n, c), 0.3)?, normal(8, (n, c), 0.3)?);
        for silu in [false, true] {
            let name = format!("group norm {shape:?} silu {silu}");
            // The net's affine weights are f32 whatever x is.
            let f32 = |t: &Tensor| t.to_dtype(DType::F32);
            agrees(&name, &[x.clone(), gain.clone(), offset.clone()], &|t| {
                group_norm(&t[0], groups, &f32(&t[1])?, &f32(&t[2])?, None, silu)
            })?;
            let all = [&x, &gain, &offset, &scale, &shift].map(Tensor::clone);
            agrees(&format!("adaptive {name}"), &all, &|t| {
                let adaptive = (&f32(&t[3])?, &f32(&t[4])?);
                group_norm(
                    &t[0],
                    groups,
                    &f32(&t[1])?,
                    &f32(&t[2])?,
                    Some(adaptive),
                    silu,
                )
            })?;
        }
    }
    Ok(())
}

#[test]
fn attention_and_resampling_are_those_of_the_cpu() -> Result<()> {
    for (heads, d, l) in [(4, 32, 64), (6, 64, 256), (2, 48, 65), (3, 64, 1024)] {
        let inputs = [9, 10, 11].map(|seed| normal(seed, (heads, d, l), 1.0).expect("numbers"));
        let name = format!("attention {heads} x {d} x {l}");
        agrees(&name, &inputs, &|t| attention(&t[0], &t[1], &t[2]))?;
    }
    for (h, w) in [(8, 8), (9, 6), (7, 7)] {
        let x = [normal(12, (2, 5, h, w), 1.0)?];
        agrees(&format!("mean of 2 x 2, {h} x {w}"), &x, &|t| {
            resample::avg_pool2(&t[0])
        })?;
        agrees(&format!("twice {h} x {w}"), &x, &|t| {
            resample::upsample2(&t[0])
        })?;
    }
    Ok(())
}

#[test]
fn convolutions_of_unequal_padding_are_those_of_the_cpu() -> Result<()> {
    let x = normal(13, (2, 32, 17, 17), 1.0)?;
    for (kernel, padding) in [((1, 7), (0, 3)), ((7, 1), (3, 0)), ((3, 3), (1, 1))] {
        let w = normal(14, (48, 32, kernel.0, kernel.1), 0.1)?;
        let b = normal(15, 48, 1.0)?;
        let run = |device: &Device| -> Result<Tensor> {
            let at = |t: &Tensor| t.to_device(device);
            let conv = maps::Conv::new(&at(&w)?, &at(&b)?, 1, padding, true)?;
            maps::Maps::new(&at(&x)?)?.conv(&conv)?.tensor()
        };
        let off = off(&run(&gpu())?, &run(&Device::Cpu)?);
        assert!(off <= F32, "{kernel:?}: off by {off:.1e}");
    }
    Ok(())
}

#[test]
fn pools_of_3_are_those_of_the_cpu() -> Result<()> {
    let x = normal(20, (2, 32, 17, 13), 1.0)?;
    for (stride, pad) in [(1, 1), (2, 0)] {
        let run = |device: &Device| {
            maps::Maps::new(&x.to_device(device)?)?
                .max3(stride, pad)?
                .tensor()
        };
        assert_eq!(values(&run(&gpu())?), values(&run(&Device::Cpu)?), "maxima");
    }
    let run = |device: &Device| maps::Maps::new(&x.to_device(device)?)?.mean3()?.tensor();
    let off = off(&run(&gpu())?, &run(&Device::Cpu)?);
    assert!(off <= F32, "means are off by {off:.1e}");
    Ok(())
}

#[test]
fn tf32_is_near_f32_where_it_is_asked_for_and_nowhere_else() -> Result<()> {
    let inputs = [
        normal(21, (2, 64, 32, 32), 1.0)?,
        normal(22, (64, 64, 3, 3), 0.05)?,
    ];
    let run = |t: &[Tensor]| conv2d(&t[0], &t[1], None, 1, 1);
    let want = with_grads(&run, &inputs)?;
    let there = inputs.each_ref().map(|t| t.to_device(&gpu()).unwrap());
    let rounded = with_grads(&|t| in_tf32(true, || run(t)), &there)?;
    for (part, (got, want)) in rounded.iter().zip(&want).enumerate() {
        let off = off(got, want);
        // Ten bits of fraction; a card before Ampere has no TF32.
        println!("TF32 part {part}: {off:.1e}");
        assert!(
            (1e-6..2e-3).contains(&off),
            "part {part} is off by {off:.1e}"
        );
    }
    let plain = with_grads(&run, &there)?;
    let off = off(&plain[0], &want[0]);
    assert!(off <= F32, "after it, f32 is off by {off:.1e}");
    Ok(())
}

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
    let weights = rule_inception::weights(&rule_inception::case());
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
        let off = off(
            rule_inception::tap(&there, name),
            rule_inception::tap(&here, name),
        );
        println!("{name:16} {off:.1e}");
        assert!(off <= NETS, "{name} is off by {off:.1e}");
    }
    Ok(())
}

/// A released net at its size, with weights of which none is zero.
#[test]
fn the_64_pixel_release_answers_as_on_the_cpu() -> Result<()> {
    let (arch, _) = runner::spec::presets::arch("imagenet64").expect("a preset");
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
    let (arch, _) = runner::spec::presets::arch("shapes16").expect("a preset");
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
            adamw.update(&loss.backward()?, 1e-3).expect("an update");
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
