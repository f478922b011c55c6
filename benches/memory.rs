//! Peak memory of `runner score` on as many images as papers use, features on disk: `cargo bench --bench memory -- WEIGHTS.pth`.
//!
//! The weights are Inception's, published or by rule (`benches/peers/write_inception.py`). Features are made up instead
//! of extracted, in the parts that an extraction would have left: what is measured is the scoring. `--images 50000` and
//! `--reference 10000`, the defaults, are ADM's numbers; `--preset adm` chooses the rules. Reads `/proc`, so Linux only.

use anyhow::{Context, Result, ensure};
use fidrunner::data::gallery::Gallery;
use fidrunner::data::survey::Facts;
use fidrunner::experiment::key::digest_file;
use fidrunner::experiment::scoring::preset::Preset;
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::stages::describe::described::{self, PART};
use fidrunner::stages::describe::extract::Rows;
use fidrunner::stages::describe::images::{folder, part_name};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Inception's pool, sFID's spatial features, its classes.
const WIDTHS: [usize; 3] = [2048, 2023, 1008];
/// Pixels a side of the images, which nobody looks at.
const SIDE: usize = 8;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let count = |name: &str, default: usize| option(name).map_or(Ok(default), |text| text.parse());
    let Some(weights) = arguments.first().filter(|a| !a.starts_with("--")) else {
        println!(
            "memory: skipped, no weights are named (cargo bench --bench memory -- WEIGHTS.pth)"
        );
        return Ok(());
    };
    let preset = option("--preset").unwrap_or("adm".into());
    let (fake, real) = (count("--images", 50_000)?, count("--reference", 10_000)?);
    let desk = tempfile::tempdir()?;
    let parts = parts_of(desk.path(), Path::new(weights), &preset)?;
    let samples = set(desk.path(), &parts, "samples.npz", 1, fake)?;
    let reference = set(desk.path(), &parts, "reference.npz", 2, real)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command.arg("--store").arg(desk.path().join("store"));
    command
        .arg("score")
        .arg(&samples)
        .arg("--reference")
        .arg(&reference);
    command.args(["--weights", weights, "--preset", &preset, "--json"]);
    let (peak, seconds) = peak(command.stdout(Stdio::null()))?;
    println!(
        "score --preset {preset}, {fake} images against {real}: peak {:.2} GiB, {seconds:.0} s",
        peak as f64 / 1024.0 / 1024.0
    );
    Ok(())
}

/// Where the parts of `preset`'s features by these weights lie.
fn parts_of(desk: &Path, weights: &Path, preset: &str) -> Result<PathBuf> {
    let digest = digest_file(weights)?;
    let mut known = Preset::ALL.into_iter();
    let preset = known
        .find(|p| p.name() == preset)
        .context("no such preset")?;
    let resized = preset.rules().preprocessing;
    folder(&desk.join("store"), &digest, Some(resized))
}

/// `n` images and their parts.
fn set(desk: &Path, parts: &Path, name: &str, seed: u64, n: usize) -> Result<PathBuf> {
    let path = desk.join(name);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pixels = vec![0u8; n * SIDE * SIDE * 3];
    rng.fill_bytes(&mut pixels);
    npz::write(&path, &[("arr_0", Array::u8(&[n, SIDE, SIDE, 3], pixels))])?;
    let gallery = Gallery::open(&[path.display().to_string()])?;
    for start in (0..n).step_by(PART) {
        let range = start..n.min(start + PART);
        let facts = range.clone().map(|i| Ok(Facts::of(&gallery.read(i)?)));
        let facts = facts.collect::<Result<Vec<_>>>()?;
        let [pool, spatial, logits] = WIDTHS.map(|width| features(&mut rng, facts.len(), width));
        let rows = Rows {
            pool,
            spatial,
            logits,
        };
        described::write(&parts.join(part_name(&gallery, range)?), rows, &facts)?;
    }
    Ok(path)
}

/// f32 [n, d] above 0, neighbours alike, as activations are.
fn features(rng: &mut ChaCha8Rng, n: usize, d: usize) -> Vec<f32> {
    let mut uniform = || (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
    let mut rows = Vec::with_capacity(n * d);
    for _ in 0..n {
        let mut level = uniform();
        for _ in 0..d {
            level = 0.9 * level + 0.1 * uniform();
            rows.push(level + 0.2 * uniform());
        }
    }
    rows
}

/// The highest resident size of a run, in KiB, and its seconds.
fn peak(command: &mut Command) -> Result<(u64, f64)> {
    let start = Instant::now();
    let mut child = command.spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    let ended = loop {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let size = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
            peak = peak.max(size.unwrap_or(0));
        }
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    ensure!(ended.success() && peak > 0, "the scoring failed: {ended}");
    Ok((peak, start.elapsed().as_secs_f64()))
}
