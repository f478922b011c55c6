//! Whole nets on a GPU beside PyTorch on the same: `cargo bench --features cuda --bench device [only]`. The released 64
//! pixel net and its classifier, training steps, FID's Inception-v3, and the operations that they are made of; `PYTHON`
//! names an interpreter with PyTorch for CUDA and torch-fidelity. Neither side uses TF32, but for the lines that say so:
//! there both sides' convolutions do, as PyTorch's do unless told otherwise.

mod peers;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use fidrunner::diffusion::guidance::classifier::class_gradient;
use fidrunner::experiment::file::experiment::Train;
use fidrunner::experiment::nets::arch::{Arch, ClassifierArch, UnetArch};
use fidrunner::experiment::nets::presets;
use fidrunner::kernels::attention::scaled_dot::attention;
use fidrunner::kernels::conv::conv2d;
use fidrunner::kernels::gradients::record::recording;
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};
use fidrunner::kernels::resample::{avg_pool2, upsample2};
use fidrunner::kernels::tf32::{Products, with_products};
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::inception::net::{Inception, SIDE, Taps, tensors};
use fidrunner::nets::inventory;
use fidrunner::run::device::named::devices;
use fidrunner::stages::train::optimizer::adamw::AdamW;
use peers::turns::Turns;
use serde_json::{Value, json};

/// A GPU, and the table.
struct Bench {
    device: Device,
    turns: Turns,
    only: Option<String>,
}

/// Weights for timing, none of them zero.
fn weights(arch: &Arch, device: &Device) -> Result<Vec<(String, Tensor)>> {
    let fill = |(name, w): (String, Tensor)| {
        let w = w.to_device(device)?;
        let noise = Tensor::randn(0f32, 0.02f32, w.shape(), device)?;
        Ok((name, (w + noise)?))
    };
    inventory::initial(arch, 0)?.into_iter().map(fill).collect()
}

fn builder(arch: &Arch, dtype: DType, device: &Device) -> Result<VarBuilder<'static>> {
    let tensors = weights(arch, device)?.into_iter().collect();
    Ok(VarBuilder::from_tensors(tensors, DType::F32, device).to_dtype(dtype))
}

/// Mean and log-variance parts of the net's answer.
fn parts(answer: &Tensor) -> Result<(Tensor, Tensor)> {
    let half = answer.dim(1)? / 2;
    Ok((answer.narrow(1, 0, half)?, answer.narrow(1, half, half)?))
}

fn unet(name: &str) -> Result<UnetArch> {
    match presets::arch(name) {
        Some((Arch::Unet(arch), _)) => Ok(arch),
        _ => candle_core::bail!("{name} is no UNet"),
    }
}

fn name_of(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float32",
        DType::F16 => "float16",
        _ => "bfloat16",
    }
}

impl Bench {
    /// Images, t and labels of a batch of `n`.
    fn images(&self, n: usize, arch: &UnetArch) -> Result<(Tensor, Tensor, Tensor)> {
        let (d, side) = (&self.device, arch.trunk.resolution);
        let x = Tensor::randn(0f32, 1f32, (n, arch.trunk.in_channels, side, side), d)?;
        let classes = arch.classes.unwrap_or(1) as u32;
        let labels = (0..n as u32).map(|i| i % classes).collect::<Vec<_>>();
        Ok((
            x,
            Tensor::full(500f32, n, d)?,
            Tensor::from_vec(labels, n, d)?,
        ))
    }

    fn row(
        &mut self,
        name: &str,
        request: Value,
        run: &mut (dyn FnMut() -> Result<()> + Send),
    ) -> Result<()> {
        if self.only.as_ref().is_some_and(|only| !name.contains(only)) {
            return Ok(());
        }
        let device = self.device.clone();
        self.turns.row(name, request, &mut || {
            run()?;
            device.synchronize()
        })
    }

    fn forward(&mut self, n: usize, preset: &str, dtype: DType, products: Products) -> Result<()> {
        let tf32 = products == Products::Tf32;
        let told = if tf32 { " in TF32" } else { "" };
        let arch = unet(preset)?;
        let vb = builder(&Arch::Unet(arch.clone()), dtype, &self.device)?;
        let net = Unet::new(&arch, vb)?;
        let (x, t, y) = self.images(n, &arch)?;
        let kind = name_of(dtype);
        let request =
            json!({ "op": "forward", "arguments": [n, arch], "dtype": kind, "tf32": tf32 });
        self.row(
            &format!("{preset}: {n} images forward, {kind}{told}"),
            request,
            &mut || with_products(products, || net.forward(&x, &t, Some(&y), None).map(drop)),
        )
    }

    fn guided(&mut self, n: usize, dtype: DType, products: Products) -> Result<()> {
        let tf32 = products == Products::Tf32;
        let told = if tf32 { " in TF32" } else { "" };
        let arch = unet("imagenet64")?;
        let Some((Arch::Classifier(judge), _)) = presets::arch("imagenet64-classifier") else {
            candle_core::bail!("no classifier")
        };
        let judge: ClassifierArch = judge;
        let vb = builder(&Arch::Unet(arch.clone()), dtype, &self.device)?;
        let net = Unet::new(&arch, vb)?;
        let vb = builder(&Arch::Classifier(judge.clone()), dtype, &self.device)?;
        let classifier = Classifier::new(&judge, vb)?;
        let (x, t, y) = self.images(n, &arch)?;
        let kind = name_of(dtype);
        let request =
            json!({ "op": "guided", "arguments": [n, arch, judge], "dtype": kind, "tf32": tf32 });
        let device = self.device.clone();
        self.row(
            &format!("imagenet64: {n} images, a guided step, {kind}{told}"),
            request,
            &mut || {
                let answer = with_products(products, || net.forward(&x, &t, Some(&y), None))?;
                let (eps, v) = parts(&answer)?;
                let log_probs =
                    |x: &Tensor, t: &Tensor| with_products(products, || classifier.log_probs(x, t));
                let pull = class_gradient(&log_probs, &y, &x, &t)?;
                let log_variance = v.affine(0.05, -3.95)?;
                let mean = (x.affine(1.01, 0.0)? - eps.affine(0.02, 0.0)?)?;
                let mean = (mean + (log_variance.exp()? * pull)?)?;
                let noise = Tensor::randn(0f32, 1f32, x.shape(), &device)?;
                (mean + ((log_variance * 0.5)?.exp()? * noise)?).map(drop)
            },
        )
    }

    fn train(&mut self, n: usize, preset: &str, products: Products) -> Result<()> {
        let tf32 = products == Products::Tf32;
        let told = if tf32 { " in TF32" } else { "" };
        let refuse = |e: anyhow::Error| candle_core::Error::Msg(e.to_string());
        let spec: Train = serde_json::from_value(json!({
            "data": "shapes", "steps": 1, "batch": 1, "learning_rate": 1e-4
        }))
        .map_err(candle_core::Error::wrap)?;
        let arch = unet(preset)?;
        let start = weights(&Arch::Unet(arch.clone()), &self.device)?;
        let mut optimizer = AdamW::new(start, &spec).map_err(refuse)?;
        let vb = VarBuilder::from_tensors(optimizer.tensors(), DType::F32, &self.device);
        let net = Unet::new(&arch, vb)?;
        let (x, t, y) = self.images(n, &arch)?;
        let noise = Tensor::randn(0f32, 1f32, x.shape(), &self.device)?;
        let request =
            json!({ "op": "train", "arguments": [n, arch], "dtype": "float32", "tf32": tf32 });
        self.row(
            &format!("{preset}: {n} images, a training step, float32{told}"),
            request,
            &mut || {
                let (loss, record) = recording(|| {
                    let answer = with_products(products, || net.forward(&x, &t, Some(&y), None))?;
                    let (eps, v) = parts(&answer)?;
                    (eps - &noise)?.sqr()?.mean_all()? + v.sqr()?.mean_all()?
                });
                let grads = optimizer
                    .gradients(record.backward(&loss?)?)
                    .map_err(refuse)?;
                optimizer.update(&grads, 1e-4).map_err(refuse)
            },
        )
    }

    /// One operation with its gradients at the nets' sizes, as `torch_ops.py` has it.
    fn operation(
        &mut self,
        op: &str,
        (dtype, backward): (DType, bool),
        shape: &[usize],
        run: &(dyn Fn(&[Tensor]) -> Result<Tensor> + Sync),
        inputs: &[Vec<usize>],
    ) -> Result<()> {
        let draw = |shape: &Vec<usize>| {
            let x = Tensor::randn(0f32, 1f32, shape.as_slice(), &self.device)?;
            Var::from_tensor(&x.to_dtype(dtype)?)
        };
        let vars = inputs.iter().map(draw).collect::<Result<Vec<_>>>()?;
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let fixed: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
        let kind = name_of(dtype);
        let request = json!({
            "op": op, "shape": shape, "backward": backward, "dtype": kind, "tf32": false
        });
        let told = if backward { " with gradients" } else { "" };
        self.row(
            &format!("{op} {shape:?} {kind}{told}"),
            request,
            &mut || {
                if backward {
                    run(&tensors)?.backward().map(drop)
                } else {
                    run(&fixed).map(drop)
                }
            },
        )
    }

    fn operations(&mut self, way: (DType, bool)) -> Result<()> {
        for (n, ci, side, co, k) in [
            (32, 192, 64, 192, 3),
            (32, 384, 64, 192, 3),
            (32, 384, 32, 384, 3),
            (32, 768, 8, 768, 3),
            (32, 384, 32, 1152, 1),
        ] {
            let inputs = [vec![n, ci, side, side], vec![co, ci, k, k], vec![co]];
            let conv = |t: &[Tensor]| conv2d(&t[0], &t[1], Some(&t[2]), 1, k / 2);
            self.operation("conv", way, &[n, ci, side, co, k, 1], &conv, &inputs)?;
        }
        for (n, c, side) in [(32, 192, 64), (32, 768, 8)] {
            let f32 = |t: &Tensor| t.to_dtype(DType::F32);
            let norm = |t: &[Tensor]| {
                group_norm(
                    &t[0],
                    32,
                    &f32(&t[1])?,
                    &f32(&t[2])?,
                    None,
                    Activation::Silu,
                )
            };
            let inputs = [vec![n, c, side, side], vec![c], vec![c]];
            self.operation("norm", way, &[n, c, side], &norm, &inputs)?;
        }
        for (heads, d, l) in [(192, 64, 1024), (384, 64, 64)] {
            let mix = |t: &[Tensor]| attention(&t[0], &t[1], &t[2]);
            let inputs = [(); 3].map(|_| vec![heads, d, l]);
            self.operation("attention", way, &[heads, d, l], &mix, &inputs)?;
        }
        let (n, c, side) = (32, 192, 64);
        let both = |t: &[Tensor]| upsample2(&avg_pool2(&t[0])?);
        self.operation(
            "resample",
            way,
            &[n, c, side],
            &both,
            &[vec![n, c, side, side]],
        )
    }

    fn inception(&mut self, n: usize) -> Result<()> {
        let fill = |(name, shape): (String, Vec<usize>)| {
            let fan = shape[1..].iter().product::<usize>() as f32;
            let tensor = match shape.len() {
                1 => Tensor::rand(0.5f32, 1.5f32, shape, &Device::Cpu)?,
                _ => Tensor::randn(0f32, (2.0 / fan).sqrt(), shape, &Device::Cpu)?,
            };
            Ok((name, tensor))
        };
        let all: std::collections::HashMap<String, Tensor> =
            tensors().into_iter().map(fill).collect::<Result<_>>()?;
        let net = Inception::new(&|name: &str| Ok(all[name].clone()), &self.device)?;
        let x = Tensor::rand(-1f32, 1f32, (n, 3, SIDE, SIDE), &self.device)?;
        let request = json!({
            "op": "inception", "arguments": [n, tensors(), false], "dtype": "float32", "tf32": false
        });
        self.row(
            &format!("Inception-v3: {n} images, network, float32"),
            request,
            &mut || net.forward(&x, Taps::EVALUATOR).map(drop),
        )
    }
}

fn main() -> Result<()> {
    let found = devices(None).map_err(|e| candle_core::Error::Msg(e.to_string()))?;
    let Some(named) = found.into_iter().find(|d| d.device.is_cuda()) else {
        println!("no CUDA device: build with `--features cuda` where there is one");
        return Ok(());
    };
    let mut bench = Bench {
        turns: Turns::on(named.device.clone(), "cuda", 3),
        device: named.device,
        only: std::env::args().skip(1).find(|a| !a.starts_with("--")),
    };
    for (dtype, products) in [
        (DType::F32, Products::F32),
        (DType::F32, Products::Tf32),
        (DType::BF16, Products::F32),
        (DType::F16, Products::F32),
    ] {
        bench.forward(32, "imagenet64", dtype, products)?;
        bench.guided(32, dtype, products)?;
    }
    for products in [Products::F32, Products::Tf32] {
        bench.train(16, "imagenet64", products)?;
    }
    bench.train(64, "shapes64", Products::F32)?;
    bench.inception(64)?;
    for dtype in [DType::F32, DType::BF16] {
        for backward in [false, true] {
            bench.operations((dtype, backward))?;
        }
    }
    Ok(())
}
