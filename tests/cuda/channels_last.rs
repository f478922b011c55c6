//! Halves whose channels lie last: every operation against the CPU's or the same plane by plane, and that its result lies so.

use crate::gpu::{gpu, off};
use crate::support::archs::{arch_of_config, variables};
use crate::support::golden::{cases, values};
use crate::support::tensors::normal;
use candle_core::{DType, Result, Tensor, Var};
use candle_nn::VarBuilder;
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::kernels::attention::qkv::{Order, qkv_attention};
use fidrunner::kernels::conv::{conv2d, conv2d_plus};
use fidrunner::kernels::cuda::channels_last::{lies, maps, planes_of, rows_of};
use fidrunner::kernels::gradients::cast::cast;
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};
use fidrunner::kernels::{pairs, resample};
use fidrunner::nets::adm::unet::Unet;

/// Of the largest value: a sum of halves' products, rounded once, and what is added to it once more.
const HALVES: [(DType, f64); 2] = [(DType::F16, 2e-3), (DType::BF16, 1.6e-2)];

/// Numbers that the half holds, in f32 on the CPU.
fn held(seed: u64, shape: &[usize], scale: f32, dtype: DType) -> Result<Tensor> {
    let plain = normal(seed, shape, scale)?;
    plain.to_dtype(dtype)?.to_dtype(DType::F32)
}

fn there(x: &Tensor, dtype: DType) -> Result<Tensor> {
    x.to_device(&gpu())?.to_dtype(dtype)
}

/// The same maps with their channels last.
fn last(x: &Tensor) -> Result<Tensor> {
    let turned = maps(&rows_of(x)?)?;
    assert!(lies(&turned), "{:?} {:?}", x.shape(), turned.stride());
    Ok(turned)
}

#[test]
fn maps_are_turned_around_and_back() -> Result<()> {
    for shape in [[2, 5, 7, 9], [1, 64, 33, 2], [3, 40, 1, 6]] {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let x = there(&normal(1, &shape[..], 1.0)?, dtype)?;
            let turned = last(&x)?;
            assert_eq!(values(&turned), values(&x), "{shape:?}");
            let back = planes_of(&turned)?;
            assert!(back.is_contiguous());
            assert_eq!(values(&back), values(&x), "{shape:?}");
        }
    }
    // What lies both ways counts as planes.
    for shape in [[2, 1, 4, 4], [2, 8, 1, 1]] {
        let x = there(&normal(1, &shape[..], 1.0)?, DType::BF16)?;
        assert!(!lies(&x), "{shape:?}");
        assert_eq!(values(&maps(&rows_of(&x)?)?), values(&x), "{shape:?}");
    }
    Ok(())
}

/// n, channels in, rows, columns, channels out, kernel, stride, padding.
const CONVOLUTIONS: [[usize; 8]; 6] = [
    [3, 3, 16, 16, 32, 3, 1, 1],
    [2, 96, 9, 7, 33, 3, 1, 1],
    [2, 32, 16, 16, 64, 3, 2, 1],
    [2, 48, 8, 4, 144, 1, 1, 0],
    [2, 20, 17, 17, 70, 5, 1, 2],
    [1, 32, 1, 1, 8, 3, 1, 1],
];

#[test]
fn convolutions_of_halves_are_those_of_the_cpu() -> Result<()> {
    for [n, ci, h, w, co, k, stride, pad] in CONVOLUTIONS {
        for (dtype, allowed) in HALVES {
            let x = held(1, &[n, ci, h, w], 1.0, dtype)?;
            let weight = held(
                2,
                &[co, ci, k, k],
                1.0 / ((ci * k * k) as f32).sqrt(),
                dtype,
            )?;
            let bias = held(3, &[co], 1.0, dtype)?;
            let want = conv2d(&x, &weight, Some(&bias), stride, pad)?;
            let more = held(4, want.dims(), 1.0, dtype)?;
            let both = conv2d_plus(&more, (&x, &weight), &bias, stride, pad)?;
            let name = format!("conv {ci}->{co} {h}x{w} k{k} s{stride} {dtype:?}");
            let [x, weight, bias, more] =
                [x, weight, bias, more].map(|t| there(&t, dtype).unwrap());
            // However both lie when they come.
            for (x, weight) in [
                (x.clone(), weight.clone()),
                (maps(&rows_of(&x)?)?, maps(&rows_of(&weight)?)?),
            ] {
                let y = conv2d(&x, &weight, Some(&bias), stride, pad)?;
                assert!(lies(&y) || y.dims()[2..] == [1, 1], "{name}");
                let far = off(&y, &want);
                println!("{name}: {far:.1e}");
                assert!(far <= allowed, "{name} is off by {far:.1e}");
                let again = conv2d(&x, &weight, Some(&bias), stride, pad)?;
                assert_eq!(values(&y), values(&again), "{name} twice");
                let y = conv2d_plus(&more, (&x, &weight), &bias, stride, pad)?;
                let sum = off(&y, &both);
                assert!(sum <= allowed, "{name} and more is off by {sum:.1e}");
            }
            let none = conv2d(&x, &weight, None, stride, pad)?;
            let added = none.broadcast_add(&bias.reshape((1, co, 1, 1))?)?;
            let far = off(&added, &want);
            assert!(far <= allowed, "{name} without a bias is off by {far:.1e}");
        }
    }
    Ok(())
}

#[test]
fn gradients_of_convolutions_of_halves_are_those_of_the_cpu() -> Result<()> {
    for [n, ci, h, w, co, k, stride, pad] in CONVOLUTIONS {
        for (dtype, allowed) in HALVES {
            let inputs = [
                held(1, &[n, ci, h, w], 1.0, dtype)?,
                held(
                    2,
                    &[co, ci, k, k],
                    1.0 / ((ci * k * k) as f32).sqrt(),
                    dtype,
                )?,
                held(3, &[co], 1.0, dtype)?,
            ];
            let run = |inputs: &[Tensor]| -> Result<[Tensor; 3]> {
                let vars = inputs.iter().map(Var::from_tensor);
                let vars = vars.collect::<Result<Vec<Var>>>()?;
                let y = conv2d(&vars[0], &vars[1], Some(&vars[2]), stride, pad)?;
                let r = held(5, y.dims(), 1.0, dtype)?.to_device(y.device())?;
                let y = (y.to_dtype(DType::F32)? * r)?.sum_all()?;
                let grads = y.backward()?;
                Ok([0, 1, 2].map(|i| grads.get(&vars[i]).expect("a gradient").clone()))
            };
            let want = run(&inputs)?;
            let inputs = inputs.map(|t| there(&t, dtype).unwrap());
            let (got, again) = (run(&inputs)?, run(&inputs)?);
            for (part, name) in ["dx", "dw", "db"].iter().enumerate() {
                let off = off(&got[part], &want[part]);
                println!("conv {ci}->{co} {h}x{w} k{k} s{stride} {dtype:?} {name}: {off:.1e}");
                assert!(
                    off <= allowed,
                    "{ci}->{co} k{k} {dtype:?} {name} is off by {off:.1e}"
                );
                assert_eq!(values(&got[part]), values(&again[part]), "{name} twice");
            }
        }
    }
    Ok(())
}

/// The result of `run` and the gradient of `x` of its product with fixed numbers.
fn with_grad(x: &Tensor, run: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<[Tensor; 2]> {
    let x = Var::from_tensor(x)?;
    let y = run(&x)?;
    let r = normal(99, y.shape(), 1.0)?.to_device(y.device())?;
    let grads = (y.to_dtype(DType::F32)? * r)?.sum_all()?.backward()?;
    Ok([y, grads.get(&x).expect("a gradient").clone()])
}

/// `run` of maps with their channels last is `run` of the same plane by plane, and lies as they do; and so are its gradients.
fn agrees(name: &str, x: &Tensor, run: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    for (dtype, allowed) in [(DType::F32, 2e-5), HALVES[0], HALVES[1]] {
        let planes = there(x, dtype)?;
        let want = with_grad(&planes, run)?;
        let got = with_grad(&planes, &|x| run(&last(x)?))?;
        assert!(lies(&got[0]), "{name} {dtype:?}");
        assert_eq!(got[0].dtype(), want[0].dtype(), "{name} {dtype:?}");
        for (part, (got, want)) in ["result", "gradient"].iter().zip(got.iter().zip(&want)) {
            let off = off(got, want);
            println!("{name} {dtype:?} {part}: {off:.1e}");
            assert!(
                off <= allowed,
                "{name} {dtype:?}: the {part} is off by {off:.1e}"
            );
        }
    }
    Ok(())
}

#[test]
fn what_lies_between_convolutions_keeps_the_channels_last() -> Result<()> {
    for (shape, groups) in [
        ([3, 32, 16, 16], 32),
        ([2, 96, 6, 8], 32),
        ([2, 192, 32, 32], 32),
        ([1, 1536, 4, 4], 32),
        ([2, 64, 5, 5], 32),
        // A group wider than the kernel's blocks: its maps are turned around, and lie plane by plane.
        ([1, 2048, 4, 4], 1),
    ] {
        let (n, c) = (shape[0], shape[1]);
        let x = (normal(4, &shape[..], 2.0)? + 1.5)?;
        let (gain, offset) = ((normal(5, c, 0.3)? + 1.0)?, normal(6, c, 0.3)?);
        let (scale, shift) = (normal(7, (n, c), 0.3)?, normal(8, (n, c), 0.3)?);
        let both = Tensor::cat(&[scale, shift], 1)?;
        let [gain, offset, both] = [gain, offset, both].map(|t| t.to_device(&gpu()).unwrap());
        for silu in [Activation::None, Activation::Silu] {
            for adaptive in [None, Some(&both)] {
                let run = |x: &Tensor| {
                    let y = group_norm(x, groups, &gain, &offset, adaptive, silu)?;
                    if groups == 1 { last(&y) } else { Ok(y) }
                };
                agrees(&format!("norm {shape:?} {silu:?}"), &x, &run)?;
            }
        }
    }
    for shape in [[2, 8, 6, 4], [1, 33, 8, 8], [2, 6, 9, 7]] {
        let x = normal(9, &shape[..], 1.0)?;
        agrees("twice as large", &x, &resample::upsample2)?;
        agrees("half as large", &x, &resample::avg_pool2)?;
        // `x * 0.5` is candle's, which lies plane by plane.
        let half = |x: &Tensor| {
            let half = (x * 0.5)?;
            if lies(x) { last(&half) } else { Ok(half) }
        };
        agrees("a sum", &x, &|x| pairs::sum(x, &half(x)?))?;
        agrees("both channels", &x, &|x| pairs::join(x, &half(x)?))?;
        for dtype in [DType::F32, DType::BF16] {
            agrees("another type", &x, &|x| cast(x, dtype))?;
        }
    }
    for order in [Order::ByHead, Order::ByPart] {
        for (heads, d, h, w) in [(4, 16, 8, 8), (3, 6, 5, 4)] {
            let x = normal(10, (2, 3 * heads * d, h, w), 1.0)?;
            agrees(&format!("attention {order:?}"), &x, &|x| {
                qkv_attention(x, heads, order)
            })?;
        }
    }
    Ok(())
}

#[test]
fn whole_nets_answer_as_the_reference_does() -> Result<()> {
    for case in cases("models", "unet") {
        let arch = arch_of_config(case.text("kind"), &case.value["config"]);
        let weights = variables(&arch, case.text("prefix")).0;
        let weights = weights.into_iter().map(|(name, w)| {
            // Part of no graph, as those of a file.
            let w = w.as_tensor().detach().to_device(&gpu()).unwrap();
            (name, w)
        });
        let vb = VarBuilder::from_tensors(weights.collect(), DType::F32, &gpu());
        let Arch::Unet(made) = arch else {
            panic!("{} is not a UNet", case.name)
        };
        let stored = case.arrays();
        let on = |name: &str| stored[name].to_device(&gpu()).unwrap();
        let y = stored.get("y");
        let y = y.map(|y| y.to_dtype(DType::U32).unwrap().to_device(&gpu()).unwrap());
        for (dtype, allowed) in [(DType::F16, 1e-2), (DType::BF16, 1e-1)] {
            let net = Unet::new(&made, vb.to_dtype(dtype))?;
            let out = net.forward(&on("x"), &on("t"), y.as_ref(), None)?;
            let far = off(&out, &stored["out"]);
            println!("{:24} {dtype:?} {far:.1e}", case.name);
            assert!(
                far <= allowed,
                "{} {dtype:?} is off by {far:.1e}",
                case.name
            );
            let again = net.forward(&on("x"), &on("t"), y.as_ref(), None)?;
            assert_eq!(values(&out), values(&again), "{} twice", case.name);
        }
    }
    Ok(())
}
