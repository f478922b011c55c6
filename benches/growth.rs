//! What a study of many cells costs where nothing is left to compute: `cargo bench --bench growth -- --cells 10000`.
//!
//! Fills a store with made-up results of every cell (manifests, scores, small images) in the layout of the program, then
//! measures `plan`, `status`, `sweep` and `report` on it: seconds, and the highest resident size as the kernel counts it.
//! `--shape grid` (the default) has three axes of numbers, two of them seeds or steps; `--shape line` one axis with a
//! value a cell. `--keep FOLDER` makes the store there and leaves it, to be looked at again; with a store already in it,
//! that one is measured. Unix only.

use anyhow::{Result, bail, ensure};
use fidrunner::experiment::grid::source::Source;
use fidrunner::experiment::grid::sweep::sweep_of;
use fidrunner::experiment::scoring::metric::Metric;
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::jobs::files::results::SCORES;
use fidrunner::jobs::job::Job;
use fidrunner::jobs::stage::Stage;
use fidrunner::metrics::score::Score;
use fidrunner::run::manifest::{Input, Manifest, files};
use fidrunner::run::plan::{Item, Plan};
use fidrunner::run::store::{JOB, OWN, Store};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Pixels a side of the images, and how many there are a cell.
const SIDE: usize = 16;
const IMAGES: usize = 4;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let cells: usize = option("--cells").map_or(Ok(10_000), |text| text.parse())?;
    let shape = option("--shape").unwrap_or("grid".into());
    let scratch = tempfile::tempdir()?;
    let desk = option("--keep").map_or(scratch.path().to_path_buf(), PathBuf::from);
    std::fs::create_dir_all(&desk)?;
    let (file, store) = (desk.join("growth.toml"), desk.join("store"));
    if !store.exists() {
        std::fs::write(&file, study(cells, &shape)?)?;
        let started = Instant::now();
        let items = fill(&file, &Store::new(&store))?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{cells} cells ({shape}), {items} results made up in {seconds:.1} s");
    }
    for verb in ["plan", "status", "sweep", "report"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.arg("--store").arg(&store).arg(verb).arg(&file);
        command.current_dir(&desk);
        let Taken { seconds, cpu, peak } = measured(&mut command)?;
        println!("{verb:<7} {seconds:>7.2} s  {cpu:>7.2} s of processors  {peak:>5} MiB");
    }
    Ok(())
}

/// The experiment file: `cells` combinations, charts over an axis, over another by it, and of two metrics.
fn study(cells: usize, shape: &str) -> Result<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let list = |values: &mut dyn Iterator<Item = usize>| {
        let texts: Vec<String> = values.map(|value| value.to_string()).collect();
        format!("[{}]", texts.join(", "))
    };
    let grid = match shape {
        "grid" => {
            ensure!(
                cells.is_multiple_of(100),
                "--cells {cells}: a multiple of 100"
            );
            format!(
                "guidance.scale = {}\nsample.steps = {}\nsample.seed = {}\n",
                list(&mut (0..20)),
                list(&mut (0..cells / 100).map(|n| 2 + n)),
                list(&mut (0..5)),
            )
        }
        "line" => format!(
            "sample.seed = [0]\nguidance.scale = {}\n",
            list(&mut (0..cells))
        ),
        other => bail!("--shape {other}: grid or line"),
    };
    Ok(format!(
        r#"name = "growth"
[model]
checkpoint = "{root}/experiments/shapes/unet16.safetensors"
[guidance]
checkpoint = "{root}/experiments/shapes/classifier16.safetensors"
scale = 0
[sample]
sampler = "ddpm"
steps = 20
count = {IMAGES}
[eval]
features = "shapes"
weights = "{root}/experiments/shapes/features.safetensors"
reference = "{root}/reference_stats/shapes16.npz"
metrics = ["fd", "is", "precision", "recall"]
[grid]
{grid}
[[chart]]
x = "guidance.scale"
y = ["fd", "is"]
by = "sample.steps"
[[chart]]
x = "recall"
y = ["precision"]
"#
    ))
}

/// Writes what each job of the plan would leave; how many there are.
fn fill(file: &Path, store: &Store) -> Result<usize> {
    let sweep = sweep_of(Source::read(file)?, &[], &[])?;
    let plan = Plan::of(&sweep, store, None)?;
    for (n, item) in plan.items.iter().enumerate() {
        let folder = store.folder(item.job.stage(), &item.key);
        std::fs::create_dir_all(&folder)?;
        make_up(n as u64, item, &folder)?;
        std::fs::write(folder.join(JOB), plan.text(n)?)?;
        manifest(item, &folder)?.write(&folder)?;
    }
    Ok(plan.items.len())
}

/// The files of a result: images of noise, scores that follow the item's number.
fn make_up(n: u64, item: &Item, folder: &Path) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(n);
    match item.job.stage() {
        Stage::Sample => {
            let mut pixels = vec![0u8; IMAGES * SIDE * SIDE * 3];
            random.fill_bytes(&mut pixels);
            let images = Array::u8(&[IMAGES, SIDE, SIDE, 3], pixels);
            let path = folder.join(format!("images-000000-{IMAGES:06}.npz"));
            npz::write(&path, &[("arr_0", images)])
        }
        Stage::Metrics => {
            let Job::Metrics(job) = &item.job else {
                bail!("the study has no program that scores");
            };
            let mut score = |metric: &Metric| {
                let value = f64::from(random.next_u32() >> 8) / f64::from(1 << 24);
                Score::new(metric.id(), value, (value - 0.01, value + 0.01), IMAGES)
            };
            let scores: Vec<Score> = job.metrics.iter().map(&mut score).collect();
            Ok(std::fs::write(
                folder.join(SCORES),
                serde_json::to_vec_pretty(&scores)?,
            )?)
        }
        _ => Ok(std::fs::write(
            folder.join("features.npz"),
            n.to_le_bytes(),
        )?),
    }
}

fn manifest(item: &Item, folder: &Path) -> Result<Manifest> {
    let input = |file: fidrunner::jobs::inputs::pinned::Pinned| Input {
        path: file.path,
        sha256: file.digest,
    };
    Ok(Manifest {
        makers: Vec::new(),
        key: item.key.clone(),
        stage: item.job.stage().to_string(),
        version: item.job.version(),
        count: item.job.wanted().count,
        runner: env!("CARGO_PKG_VERSION").to_string(),
        git: None,
        device: "cpu".to_string(),
        host: "made-up".to_string(),
        started: "2026-01-01T00:00:00Z".to_string(),
        seconds: 1.0 + item.cells[0] as f64 / 1e3,
        inputs: item.job.inputs().into_iter().map(input).collect(),
        needs: item.job.needs(),
        files: files(folder, &OWN)?,
        warnings: Vec::new(),
    })
}

/// What a run took.
struct Taken {
    seconds: f64,
    /// Of all cores, in user and system mode.
    cpu: f64,
    /// The highest resident size, MiB.
    peak: i64,
}

/// Runs the command to its end.
#[cfg(unix)]
fn measured(command: &mut Command) -> Result<Taken> {
    let started = Instant::now();
    command.stdin(Stdio::null());
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let (mut status, id) = (0, child.id() as libc::pid_t);
    // SAFETY: `status` and `usage` outlive the call, and every bit pattern of `rusage` is one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        ensure!(
            libc::wait4(id, &mut status, 0, &mut usage) == id,
            "waiting for the program failed"
        );
        usage
    };
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status == 0, "the program ended with status {status}");
    let time = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    Ok(Taken {
        seconds,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak: usage.ru_maxrss / 1024,
    })
}

#[cfg(not(unix))]
fn measured(_: &mut Command) -> Result<Taken> {
    bail!("the bench reads what the kernel counts, on Unix only")
}
