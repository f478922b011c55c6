//! Several workers on one cell: `cargo bench --bench workers`.
//!
//! Wall time of the images of one cell by 1, 2 and 4 worker processes of one thread each (medians of `--rounds`, 3), and how
//! many operations a second a worker asks of the file system of the store: one that draws, and `--waiting` (8) that wait
//! for a part of it, counted by strace for `--seconds` (60). Where strace is not there, it is said. With `--many 200` so
//! many workers share the store, of which one draws, and `--waiting` of the others are counted; nothing else is measured.
//! Unix only.

use anyhow::{Context, Result, ensure};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RUNNER: &str = env!("CARGO_BIN_EXE_runner");
/// System calls that a file server hears of, by strace's names.
const CALLS: &str = "trace=%file,getdents64,fsync,fdatasync,ftruncate";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u64| -> Result<u64> {
        let at = arguments.iter().position(|a| a == name);
        let text = at.and_then(|at| arguments.get(at + 1));
        text.map_or(Ok(default), |text| text.parse().context(name.to_string()))
    };
    let scratch = tempfile::tempdir()?;
    let many = option("--many", 0)?;
    if many == 0 {
        speed(scratch.path(), option("--rounds", 3)?)?;
    }
    let has_strace = Command::new("strace").arg("-V").output().is_ok();
    if !has_strace {
        println!("operations: not counted, for there is no strace here");
        return Ok(());
    }
    let counted = Counted {
        waiting: option("--waiting", 8)?,
        many,
        seconds: option("--seconds", 60)?,
    };
    operations(scratch.path(), &counted)
}

/// Whose operations are counted, and for how long.
struct Counted {
    /// Workers that wait and are counted.
    waiting: u64,
    /// Workers of the store in all, where there are more than are counted.
    many: u64,
    seconds: u64,
}

/// A call on the images of one guided cell at 16 pixels, with one thread a process.
fn call(verb: &str, store: &Path, set: &[&str]) -> Command {
    let mut command = Command::new(RUNNER);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.arg("--store").arg(store);
    command.args([verb, "experiments/guidance.toml"]);
    command.args([
        "--only",
        "guidance.scale=5",
        "--only",
        "model.resolution=16",
    ]);
    for value in set {
        command.args(["--set", value]);
    }
    command.env("RAYON_NUM_THREADS", "1");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn speed(scratch: &Path, rounds: u64) -> Result<()> {
    let set = ["sample.count=400", "sample.part=20"];
    let mut alone = 0.0;
    println!("400 images of 16 pixels, 20 guided steps, in parts of 20, one thread a worker:");
    for (workers, device) in [(1, "cpu"), (2, "cpu:2"), (4, "cpu:4")] {
        let mut times = Vec::new();
        for round in 0..rounds {
            let store = scratch.join(format!("speed-{workers}-{round}"));
            let started = Instant::now();
            let mut sweep = call("sweep", &store, &set);
            let status = sweep
                .args(["--until", "sample", "--device", device])
                .status()?;
            ensure!(status.success(), "a sweep failed");
            times.push(started.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        if workers == 1 {
            alone = median;
        }
        println!(
            "  {workers} workers  {median:6.2} s  {:.2} times as fast",
            alone / median
        );
    }
    Ok(())
}

/// A process under strace, which writes what it counts to a file.
struct Traced {
    child: Child,
    file: std::path::PathBuf,
}

/// A worker of the samples alone.
fn drawing(store: &Path, set: &[&str]) -> Command {
    let mut work = call("work", store, set);
    work.args(["--stages", "sample", "--device", "cpu"]);
    work.process_group(0);
    work
}

/// Ends a process and all that it started.
fn end(mut child: Child) -> Result<()> {
    let group = format!("-{}", child.id());
    let kill = Command::new("kill").args(["-KILL", "--", &group]).status();
    kill?;
    child.wait()?;
    Ok(())
}

/// Waits until so many workers have said in the store that they are there.
fn until_there(store: &Path, workers: usize) -> Result<()> {
    let begun = Instant::now();
    let there = || std::fs::read_dir(store.join("workers")).map_or(0, |files| files.count());
    while there() < workers {
        let (waited, there) = (begun.elapsed().as_secs(), there());
        ensure!(
            waited < 600,
            "{there} of {workers} workers came in {waited} s"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("{workers} workers came in {} s", begun.elapsed().as_secs());
    Ok(())
}

fn traced(scratch: &Path, name: &str, store: &Path, set: &[&str]) -> Result<Traced> {
    let work = drawing(store, set);
    let file = scratch.join(name);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-y", "-ttt", "-e", CALLS, "-o"])
        .arg(&file);
    strace.arg(work.get_program()).args(work.get_args());
    strace.current_dir(env!("CARGO_MANIFEST_DIR"));
    strace.env("RAYON_NUM_THREADS", "1");
    strace.stdout(Stdio::null()).stderr(Stdio::null());
    strace.process_group(0);
    let child = strace.spawn().context("starting strace")?;
    Ok(Traced { child, file })
}

fn operations(scratch: &Path, counted: &Counted) -> Result<()> {
    let (waiting, seconds) = (counted.waiting, counted.seconds);
    let store = scratch.join("operations");
    // One part, which takes longer than the count: whoever comes later waits for it.
    let set = ["sample.count=100000", "sample.part=100000"];
    let first = traced(scratch, "drawing", &store, &set)?;
    std::thread::sleep(Duration::from_secs(5));
    let uncounted = counted.many.saturating_sub(waiting + 1);
    let crowd = (0..uncounted).map(|_| drawing(&store, &set).spawn());
    let crowd = crowd.collect::<std::io::Result<Vec<Child>>>()?;
    let names = (0..waiting).map(|n| format!("waiting-{n}"));
    let others = names.map(|name| traced(scratch, &name, &store, &set));
    let others = others.collect::<Result<Vec<Traced>>>()?;
    until_there(&store, (1 + waiting + uncounted) as usize)?;
    // The first seconds are the plan's, once a worker.
    std::thread::sleep(Duration::from_secs(10));
    let from = now()?;
    std::thread::sleep(Duration::from_secs(seconds));
    let until = now()?;
    crowd.into_iter().try_for_each(end)?;
    let mut counts = Vec::new();
    for traced in others.into_iter().chain([first]) {
        // strace and the worker that it follows, which a signal to strace alone would leave at work.
        end(traced.child)?;
        counts.push(count(&traced.file, &store, from..until)? / seconds as f64);
    }
    let own = counts.pop().unwrap_or_default();
    counts.sort_by(f64::total_cmp);
    let (most, median) = (
        counts.last().copied().unwrap_or_default(),
        counts.get(counts.len() / 2).copied().unwrap_or_default(),
    );
    println!("operations on the store's file system, a second, over {seconds} s:");
    println!("  a worker within a part      {own:.2}");
    println!(
        "  one of {} that wait for it  {median:.2} (median), {most:.2} (most)",
        waiting + uncounted
    );
    Ok(())
}

fn now() -> Result<f64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(since.as_secs_f64())
}

/// Lines of strace that name something in the store, in a span of time.
fn count(file: &Path, store: &Path, span: std::ops::Range<f64>) -> Result<f64> {
    let text = std::fs::read(file)?;
    let text = String::from_utf8_lossy(&text);
    let store = store.display().to_string();
    let lines = text.lines().filter(|line| {
        let time = line.split_whitespace().nth(1);
        let time = time.and_then(|time| time.parse::<f64>().ok());
        time.is_some_and(|time| span.contains(&time)) && line.contains(&store)
    });
    Ok(lines.count() as f64)
}
