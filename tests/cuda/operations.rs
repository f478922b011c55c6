//! The GPU's operations against the CPU's, with their gradients.

use crate::gpu::{gpu, off};
use crate::support::golden::values;
use crate::support::tensors::normal;
use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use fidrunner::data::resize::input::fill;
use fidrunner::diffusion::random::noise::Noise;
use fidrunner::experiment::scoring::rules::Preprocessing;
use fidrunner::io::image::file::Rgb8;
use fidrunner::kernels::attention::scaled_dot::attention;
use fidrunner::kernels::conv::conv2d;
use fidrunner::kernels::cuda::resize::{Rule, resize};
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};
use fidrunner::kernels::tf32::{Products, with_products};
use fidrunner::kernels::{maps, resample};

/// Of the largest value: f32 sums in another order.
const F32: f64 = 2e-5;

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
        for silu in [Activation::None, Activation::Silu] {
            let name = format!("group norm {shape:?} {silu:?}");
            // The net's affine weights are f32 whatever x is.
            let f32 = |t: &Tensor| t.to_dtype(DType::F32);
            agrees(&name, &[x.clone(), gain.clone(), offset.clone()], &|t| {
                group_norm(&t[0], groups, &f32(&t[1])?, &f32(&t[2])?, None, silu)
            })?;
            let all = [&x, &gain, &offset, &scale, &shift].map(Tensor::clone);
            agrees(&format!("adaptive {name}"), &all, &|t| {
                let adaptive = Tensor::cat(&[f32(&t[3])?, f32(&t[4])?], 1)?;
                group_norm(
                    &t[0],
                    groups,
                    &f32(&t[1])?,
                    &f32(&t[2])?,
                    Some(&adaptive),
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
            let conv = maps::Conv::new(&at(&w)?, &at(&b)?, 1, padding, maps::Activation::Relu)?;
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
    let rounded = with_grads(&|t| with_products(Products::Tf32, || run(t)), &there)?;
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

#[test]
fn noise_is_that_of_the_cpu_but_for_last_bits() -> Result<()> {
    let (noise, images, shape) = (Noise::new(7), [3u64, 4, 5, 6], (3, 256, 256));
    let mut differ = 0;
    for step in [0, 1, 999] {
        let want = values(&noise.tensor(&images, step, shape, &Device::Cpu)?);
        let got = values(&noise.tensor(&images, step, shape, &gpu())?);
        for (got, want) in got.iter().zip(&want) {
            let (got, want) = (*got as f32, *want as f32);
            let last = f32::from_bits(want.abs().to_bits() + 1) - want.abs();
            assert!((got - want).abs() <= last, "{got} is not {want}");
            differ += usize::from(got.to_bits() != want.to_bits());
        }
    }
    println!("noise: {differ} of 2,359,296 values differ in their last bit");
    assert!(differ <= 3, "{differ} values differ");
    // Images that do not follow each other come from the CPU.
    let apart = [9u64, 3];
    let got = values(&noise.tensor(&apart, 1, shape, &gpu())?);
    assert_eq!(got, values(&noise.tensor(&apart, 1, shape, &Device::Cpu)?));
    Ok(())
}

#[test]
fn images_are_resized_to_the_bits_of_the_cpu() -> Result<()> {
    for (w, h) in [(32, 32), (256, 256), (500, 375)] {
        let pixels: Vec<u8> = (0..2 * w * h * 3)
            .map(|i| (i * i / 7 + 31 * i) as u8)
            .collect();
        for (how, rule) in [
            (Preprocessing::Tf1, Rule::Tensorflow),
            (Preprocessing::Torch, Rule::Pytorch),
            (Preprocessing::TorchBytes, Rule::PytorchBytes),
        ] {
            let mut want = vec![0f32; 2 * how.input_len()];
            let images = pixels.chunks(w * h * 3);
            for (image, out) in images.zip(want.chunks_mut(how.input_len())) {
                let data = image.to_vec();
                fill(&Rgb8 { w, h, data }, how, out).expect("an input");
            }
            let got = resize(&pixels, (h, w), rule, how.side(), &gpu())?;
            let got = got.flatten_all()?.to_vec1::<f32>()?;
            let differ = got.iter().zip(&want);
            let differ = differ.filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            assert_eq!(differ, 0, "{how:?} of {w} by {h}");
        }
    }
    Ok(())
}
