//! The released 64 pixel net, guided by its classifier, beside guided-diffusion's own code on the same noise:
//!
//!     git clone https://github.com/openai/guided-diffusion
//!     python benches/peers/write_release.py FOLDER        # where the released files cannot be had
//!     GUIDED_DIFFUSION=guided-diffusion cargo bench --bench release -- FOLDER
//!
//! FOLDER holds `64x64_diffusion.pt` and `64x64_classifier.pt`, in either container. Images and noise go to
//! `FOLDER/drawn-STEPS.npz`, from where guided-diffusion takes its noise, and the largest difference of the images is
//! printed. With a second argument, `f16` or `bf16`, our net runs in that type and theirs, for `f16`, in its own fp16.
//! `PYTHON` names an interpreter with PyTorch and NumPy.
//!
//! Three steps are taken in two ways. `ddim3` keeps timesteps 668, 334 and 0, and in f32 no value may be off by more than
//! 1e-3. `3` keeps 999, 500 and 0: at 999 of the cosine schedule x0 is 20,291 times the difference of x and the net's
//! answer, so that the last bit of an answer between 1 and 2 is worth 2.4e-3 wherever x0 is not clipped, and a net of this
//! size does not agree to the last bit with itself. That run is told, not judged.

use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use fidrunner::diffusion::guidance::classifier::ClassifierGuidance;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Output, Reading};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::{Noise, START};
use fidrunner::diffusion::samplers::draw::{Recipe, draw};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::file::experiment::{Kind, Model, Precision};
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::machine::alloc::{LineAligned, keep_pages};
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::unet::Unet;
use fidrunner::nets::precision::dtype;

use fidrunner::stages::weights::{Loaded, load};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: LineAligned = LineAligned;

const IMAGES: [u64; 4] = [0, 1, 2, 3];
const STEPS: usize = 3;
/// `[sample] steps`, and how far a value may be off in f32.
const RUNS: [(&str, Option<&str>); 2] = [("ddim3", Some("1e-3")), ("3", None)];
const SCALE: f64 = 1.0;
const SIDE: usize = 64;

fn open(folder: &Path, file: &str, kind: Kind, preset: &str) -> Result<Loaded> {
    let model = Model {
        kind,
        preset: Some(preset.to_string()),
        ..Model::default()
    };
    load(&folder.join(file), &model, &Device::Cpu)
}

/// Draws the images of seed 0 in `steps`, and writes them with their noise.
fn ours(folder: &Path, steps: &str, precision: Precision, out: &Path) -> Result<()> {
    let device = &Device::Cpu;
    let net = open(folder, "64x64_diffusion.pt", Kind::Unet, "imagenet64")?;
    let (file, preset) = ("64x64_classifier.pt", "imagenet64-classifier");
    let guide = open(folder, file, Kind::Classifier, preset)?;
    let (Arch::Unet(arch), Arch::Classifier(judge)) = (&net.arch, &guide.arch) else {
        bail!("the presets are other nets")
    };
    let process = net.process.as_ref().context("the preset has no process")?;
    let schedule = Schedule::new(process, steps)?;
    let unet = Unet::new(arch, net.vb.to_dtype(dtype(precision)))?;
    let judge = Classifier::new(judge, guide.vb.clone())?;
    let labels: Vec<u32> = IMAGES.iter().map(|&i| i as u32).collect();
    let y = Tensor::from_slice(&labels, labels.len(), device)?;
    let log_probs = |x: &Tensor, t: &Tensor| judge.log_probs(x, t);
    let guide = ClassifierGuidance::new(SCALE, &log_probs, &y);
    let recipe = Recipe {
        reading: Reading {
            schedule: &schedule,
            output: Output::of(process, arch.answer()),
            clamp: Clamp::Unit,
        },
        method: &Method::Ddpm,
        guidance: Some(&guide),
    };
    let source = Noise::new(0);
    let noise = |step: u64| source.tensor(&IMAGES, step, (3, SIDE, SIDE), device);
    let denoise = |x: &Tensor, t: &Tensor| unet.forward(x, t, Some(&y), None);
    let start = Instant::now();
    let x = draw(
        &recipe,
        &denoise,
        &noise,
        &mut |_| ControlFlow::Continue(()),
    )?;
    println!("drawn in {:.1} s", start.elapsed().as_secs_f64());
    let x = x.context("nothing stops a draw half-way")?;
    let flat =
        |x: &Tensor| -> Result<Array> { Ok(Array::f32(x.dims(), x.flatten_all()?.to_vec1()?)) };
    let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
    let names: Vec<String> = (0..STEPS).map(|k| format!("noise.{k}")).collect();
    let mut arrays = vec![
        ("x_T", flat(&noise(START)?)?),
        ("x_0", flat(&x)?),
        ("y", Array::i64(&[labels.len()], labels)),
        ("scale", Array::f64(&[1], vec![SCALE])),
    ];
    for (k, name) in names.iter().enumerate() {
        arrays.push((name, flat(&noise(START + 1 + k as u64)?)?));
    }
    npz::write(out, &arrays)
}

fn main() -> Result<()> {
    fidrunner::machine::cores::settle(None).expect("the first to start rayon's threads");
    keep_pages();
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        println!("no folder with the released files was named: see benches/release.rs");
        return Ok(());
    };
    let precision = match arguments.next().as_deref() {
        None | Some("f32") => Precision::F32,
        Some("bf16") => Precision::Bf16,
        Some("f16") => Precision::F16,
        Some(other) => bail!("{other} is none of f32, bf16, f16"),
    };
    for (steps, within) in RUNS {
        let out = folder.join(format!("drawn-{steps}.npz"));
        let draw = || ours(&folder, steps, precision, &out);
        fidrunner::machine::cores::beside(&Device::Cpu, draw)?;
        println!("wrote {}", out.display());
        theirs(&folder, steps, precision, within, &out)?;
    }
    Ok(())
}

/// Has guided-diffusion draw from the noise in `out`.
fn theirs(
    folder: &Path,
    steps: &str,
    precision: Precision,
    within: Option<&str>,
    out: &Path,
) -> Result<()> {
    let Ok(source) = std::env::var("GUIDED_DIFFUSION") else {
        println!("GUIDED_DIFFUSION names no clone of guided-diffusion: nothing to compare with");
        return Ok(());
    };
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/adm_sampler.py");
    let mut command = std::process::Command::new(&python);
    command.arg(script).arg(out).arg("--folder").arg(folder);
    command.args(["--source", &source, "--respacing", steps]);
    match precision {
        Precision::F32 => command.args(within.iter().flat_map(|w| ["--within", w])),
        Precision::F16 => command.arg("--fp16"),
        Precision::Bf16 | Precision::Tf32 => &mut command,
    };
    let ended = command
        .status()
        .with_context(|| format!("running {python}"))?;
    ensure!(ended.success(), "{python} {script} failed");
    Ok(())
}
