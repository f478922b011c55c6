//! Whole nets beside PyTorch on the same CPU: `cargo bench --bench nets`. A UNet's forward pass, a guided DDPM step, and a
//! training step, of the nets that ship here. `PYTHON` names an interpreter with `benches/peers/requirements.txt`.
//!
//! PyTorch runs with its tensors contiguous and in `channels_last`, and with `--compiled` by `torch.compile` in both too,
//! which needs a C++ compiler; the fastest is what ours is beside. With `--avx2` neither side uses wider vectors. Words after `--` choose the rows that hold all of them:
//! `cargo bench --bench nets -- shapes32 training`.

mod peers;

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use fidrunner::diffusion::guidance::classifier::class_gradient;
use fidrunner::experiment::file::experiment::Train;
use fidrunner::experiment::nets::arch::{Arch, ClassifierArch, UnetArch};
use fidrunner::experiment::nets::presets;
use fidrunner::kernels::gradients::record::recording;
use fidrunner::machine::alloc::{LineAligned, keep_pages};
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::inventory;
use fidrunner::stages::train::optimizer::adamw::AdamW;
use peers::turns::{AVX2, Turns};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: LineAligned = LineAligned;

/// What is measured, and which of it.
struct Rows {
    turns: Turns,
    /// A row's name holds all of these.
    words: Vec<String>,
    ways: Vec<&'static str>,
}

impl Rows {
    fn open() -> Rows {
        let (options, words): (Vec<String>, Vec<String>) = std::env::args()
            .skip(1)
            .filter(|a| a != "--bench" && a != AVX2)
            .partition(|a| a.starts_with("--"));
        let mut ways = vec!["contiguous", "channels_last"];
        match options.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => {}
            ["--compiled"] => ways.extend(["compiled", "compiled channels_last"]),
            _ => panic!("{options:?}: --compiled and {AVX2} are the only options"),
        }
        Rows {
            turns: Turns::start(2),
            words,
            ways,
        }
    }

    /// Whether a row is asked for.
    fn asked(&self, name: &str) -> bool {
        self.words.iter().all(|word| name.contains(word))
    }

    fn row(
        &mut self,
        name: &str,
        op: &str,
        arguments: Value,
        run: &mut (dyn FnMut() -> Result<()> + Send),
    ) -> Result<()> {
        let request = |way| (way, json!({ "op": op, "arguments": arguments, "way": way }));
        let mut ways: Vec<(&str, Value)> = self.ways.iter().map(|&way| request(way)).collect();
        self.turns.row_beside(name, &mut ways, run)
    }
}

/// Images, t and labels of a batch of `n`.
fn images(n: usize, arch: &UnetArch) -> Result<(Tensor, Tensor, Tensor)> {
    let (d, side) = (&Device::Cpu, arch.trunk.resolution);
    let x = Tensor::randn(0f32, 1f32, (n, arch.trunk.in_channels, side, side), d)?;
    let classes = arch.classes.unwrap_or(1) as u32;
    let labels = (0..n as u32).map(|i| i % classes).collect::<Vec<_>>();
    Ok((
        x,
        Tensor::full(500f32, n, d)?,
        Tensor::from_vec(labels, n, d)?,
    ))
}

/// Weights for timing: none is zero, so that no gradient is.
fn weights(arch: &Arch) -> Result<Vec<(String, Tensor)>> {
    let fill = |(name, w): (String, Tensor)| {
        let noise = Tensor::randn(0f32, 0.02f32, w.shape(), &Device::Cpu)?;
        Ok((name, (w + noise)?))
    };
    inventory::initial(arch, 0)?.into_iter().map(fill).collect()
}

fn fixed(arch: &Arch) -> Result<VarBuilder<'static>> {
    let tensors = weights(arch)?.into_iter().collect();
    Ok(VarBuilder::from_tensors(
        tensors,
        candle_core::DType::F32,
        &Device::Cpu,
    ))
}

/// Mean and log-variance parts of the net's answer.
fn parts(answer: &Tensor) -> Result<(Tensor, Tensor)> {
    let half = answer.dim(1)? / 2;
    Ok((answer.narrow(1, 0, half)?, answer.narrow(1, half, half)?))
}

fn forward(rows: &mut Rows, n: usize, name: &str, arch: &UnetArch) -> Result<()> {
    let name = format!("{name}: {n} images forward");
    if !rows.asked(&name) {
        return Ok(());
    }
    let net = Unet::new(arch, fixed(&Arch::Unet(arch.clone()))?)?;
    let (x, t, y) = images(n, arch)?;
    rows.row(&name, "forward", json!([n, arch]), &mut || {
        net.forward(&x, &t, Some(&y), None).map(drop)
    })
}

fn guided(
    rows: &mut Rows,
    n: usize,
    name: &str,
    arch: &UnetArch,
    judge: &ClassifierArch,
) -> Result<()> {
    let name = format!("{name}: {n} images, a guided step");
    if !rows.asked(&name) {
        return Ok(());
    }
    let net = Unet::new(arch, fixed(&Arch::Unet(arch.clone()))?)?;
    let classifier = Classifier::new(judge, fixed(&Arch::Classifier(judge.clone()))?)?;
    let (x, t, y) = images(n, arch)?;
    rows.row(&name, "guided", json!([n, arch, judge]), &mut || {
        let (eps, v) = parts(&net.forward(&x, &t, Some(&y), None)?)?;
        let log_probs = |x: &Tensor, t: &Tensor| classifier.log_probs(x, t);
        let pull = class_gradient(&log_probs, &y, &x, &t)?;
        let log_variance = v.affine(0.05, -3.95)?;
        let mean = (x.affine(1.01, 0.0)? - eps.affine(0.02, 0.0)?)?;
        let mean = (mean + (log_variance.exp()? * pull)?)?;
        let noise = Tensor::randn(0f32, 1f32, x.shape(), &Device::Cpu)?;
        (mean + ((log_variance * 0.5)?.exp()? * noise)?).map(drop)
    })
}

fn train(rows: &mut Rows, n: usize, name: &str, arch: &UnetArch, spec: &Train) -> Result<()> {
    let name = format!("{name}: {n} images, a training step");
    if !rows.asked(&name) {
        return Ok(());
    }
    let refuse = |e: anyhow::Error| candle_core::Error::Msg(e.to_string());
    let mut optimizer = AdamW::new(weights(&Arch::Unet(arch.clone()))?, spec).map_err(refuse)?;
    let vb = VarBuilder::from_tensors(optimizer.tensors(), candle_core::DType::F32, &Device::Cpu);
    let net = Unet::new(arch, vb)?;
    let (x, t, y) = images(n, arch)?;
    let noise = Tensor::randn(0f32, 1f32, x.shape(), &Device::Cpu)?;
    rows.row(&name, "train", json!([n, arch]), &mut || {
        let (loss, record) = recording(|| {
            let (eps, v) = parts(&net.forward(&x, &t, Some(&y), None)?)?;
            (eps - &noise)?.sqr()?.mean_all()? + v.sqr()?.mean_all()?
        });
        let gradients = optimizer.gradients(record.backward(&loss?)?);
        optimizer
            .update(&gradients.map_err(refuse)?, 1e-4)
            .map_err(refuse)
    })
}

fn main() -> Result<()> {
    keep_pages();
    let spec: Train = serde_json::from_value(json!({
        "data": "shapes", "steps": 1, "batch": 1, "learning_rate": 1e-4
    }))
    .map_err(candle_core::Error::wrap)?;
    let mut rows = Rows::open();
    for (side, n) in [(16, 32), (32, 16), (64, 8)] {
        let name = format!("shapes{side}");
        let judge = presets::arch(&format!("{name}-classifier"));
        let (Some((Arch::Unet(arch), _)), Some((Arch::Classifier(judge), _))) =
            (presets::arch(&name), judge)
        else {
            candle_core::bail!("no preset {name}");
        };
        forward(&mut rows, n, &name, &arch)?;
        guided(&mut rows, n, &name, &arch, &judge)?;
        train(&mut rows, n, &name, &arch, &spec)?;
    }
    Ok(())
}
