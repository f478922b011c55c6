//! What commands say and do around their numbers: signals, missing weights, names of metrics, a folder as the reference.

use crate::support::inception;
use crate::support::program::{Runner, shipped};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// An empty folder to type commands in.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        Runner::new().at(self.0.path()).args(arguments).command()
    }

    fn runner(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Scenes as PNGs of `side` pixels, in a folder of their own.
    fn scenes(&self, folder: &str, range: std::ops::Range<u64>, side: usize) {
        std::fs::create_dir_all(self.path(folder)).unwrap();
        for i in range {
            let pixels = Scene::of(Stream::Validation, i).render(side);
            write_png(
                &self.path(&format!("{folder}/{i:05}.png")),
                &pixels,
                side,
                side,
            )
            .unwrap();
        }
    }

    /// Finished files of this kind of the store.
    fn parts(&self, kind: &str) -> usize {
        let all = walkdir::WalkDir::new(self.path(".runner").join(kind)).into_iter();
        let whole = |name: &str| name.ends_with(".npz") && !name.starts_with('.');
        all.flatten()
            .filter(|file| whole(&file.file_name().to_string_lossy()))
            .count()
    }
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn printed(out: &Output) -> String {
    assert!(out.status.success(), "{}", said(out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Waits until it is so, a minute at most.
fn wait(what: &str, so: impl Fn() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "waiting for {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A command that has begun to watch for signals.
fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    wait("a handler of SIGTERM", || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & (1 << (libc::SIGTERM - 1)) != 0)
    });
    child
}

fn signal(child: &Child, number: i32) {
    // SAFETY: the child has not been waited for, so the number is still its own.
    let sent = unsafe { libc::kill(child.id() as i32, number) };
    assert_eq!(sent, 0);
}

/// Commands that take far longer than the test: `score` in parts of 4 images, `likelihood` in parts of 2.
fn long_commands(desk: &Desk) -> [(Command, &'static str); 2] {
    inception::write(&desk.path("inception.safetensors"));
    desk.scenes("images", 0..400, 32);
    let net = shipped("experiments/shapes/unet16.safetensors");
    let score = desk.command(&[
        "score",
        "images",
        "--reference",
        "images",
        "--weights",
        "inception.safetensors",
        "--part",
        "4",
    ]);
    let likelihood = desk.command(&[
        "likelihood",
        &net,
        "shapes",
        "--count",
        "4000",
        "--batch",
        "2",
        "--steps",
        "20",
    ]);
    [(score, "described"), (likelihood, "likelihood")]
}

#[test]
fn asked_once_to_stop_a_command_keeps_its_parts() {
    let desk = Desk::new();
    for (command, kind) in long_commands(&desk) {
        let child = started(command);
        wait("a part", || desk.parts(kind) > 0);
        signal(&child, libc::SIGTERM);
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.code(), Some(130), "{}", said(&out));
        assert!(
            said(&out).contains("stopping after the current"),
            "{}",
            said(&out)
        );
        assert!(
            said(&out).contains("to resume, run the same command again"),
            "{}",
            said(&out)
        );
        assert!(out.stdout.is_empty());
        assert!(desk.parts(kind) > 0);
    }
}

#[test]
fn asked_twice_it_ends_at_once() {
    let desk = Desk::new();
    inception::write(&desk.path("inception.safetensors"));
    desk.scenes("images", 0..400, 32);
    // One part of all images, which takes far longer than the time that is allowed.
    let command = desk.command(&[
        "score",
        "images",
        "--reference",
        "images",
        "--weights",
        "inception.safetensors",
    ]);
    let child = started(command);
    signal(&child, libc::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, libc::SIGTERM);
    let asked = Instant::now();
    let out = child.wait_with_output().unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(out.status.code(), Some(130), "{}", said(&out));
    assert!(
        said(&out).contains("press again to stop now"),
        "{}",
        said(&out)
    );
    assert_eq!(desk.parts("described"), 0);
}

#[test]
fn without_a_feature_net_the_ways_to_one_are_told() {
    let desk = Desk::new();
    desk.scenes("images", 0..2, 16);
    for command in [
        &["score", "images", "--reference", "images"][..],
        &["reference", "images", "--out", "out.npz"],
        &[
            "score",
            "images",
            "--reference",
            "images",
            "--weights",
            "nowhere.pth",
        ],
    ] {
        let out = desk.runner(command);
        assert_eq!(out.status.code(), Some(2));
        let words = said(&out);
        assert!(words.contains("hint: `runner fetch inception`"), "{words}");
        assert!(words.contains("--weights PATH"), "{words}");
    }
}

#[test]
fn the_distance_of_a_net_that_was_trained_here_is_never_called_fid() {
    let desk = Desk::new();
    desk.scenes("images", 0..40, 32);
    let (reference, weights) = (
        shipped("reference_stats/shapes32.npz"),
        shipped("experiments/shapes/features.safetensors"),
    );
    let score = [
        "score",
        "images",
        "--reference",
        &reference,
        "--weights",
        &weights,
    ];
    let ask = |more: &[&str]| printed(&desk.runner(&[&score[..], more].concat()));
    let text = ask(&["--csv", "scores.csv"]);
    let json = ask(&["--json"]);
    let csv = std::fs::read_to_string(desk.path("scores.csv")).unwrap();
    for output in [&text, &json, &csv] {
        let lower = output.to_lowercase();
        assert!(!lower.contains("fid"), "{output}");
        assert!(!lower.contains("kid"), "{output}");
    }
    assert!(text.contains("FD") && csv.contains(",fd,"), "{text}\n{csv}");
    let lines = json
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named: Vec<String> = lines
        .filter_map(|line| Some(line["metric"].as_str()?.to_string()))
        .collect();
    assert_eq!(
        named,
        [
            "fd",
            "sfd",
            "is",
            "kd",
            "precision",
            "recall",
            "density",
            "coverage"
        ]
    );
    let one = ask(&["--json", "--metrics", "fd"]);
    assert_eq!(
        one.lines()
            .filter(|line| line.contains("\"metric\""))
            .count(),
        1
    );
    let refused = desk.runner(&[&score[..], &["--metrics", "fid"]].concat());
    assert!(
        said(&refused).contains("this preset has fd, sfd"),
        "{}",
        said(&refused)
    );
}

/// An experiment that is scored against the folder `real`.
fn experiment(desk: &Desk, eval: &str) {
    let text = format!(
        "name = \"small\"\n[model]\ncheckpoint = \"{}\"\n[sample]\nsteps = 2\ncount = 6\n[eval]\nreference = \"real\"\n{eval}",
        shipped("experiments/shapes/unet16.safetensors")
    );
    std::fs::write(desk.path("small.toml"), text).unwrap();
}

#[test]
fn a_sweep_takes_a_folder_of_images_as_its_reference() {
    let desk = Desk::new();
    inception::write(&desk.path("inception.safetensors"));
    desk.scenes("real", 0..8, 16);
    experiment(
        &desk,
        "features = \"inception\"\nweights = \"inception.safetensors\"\nmetrics = [\"fid\", \"precision\"]",
    );
    let sweep = ["sweep", "small.toml", "--json"];
    let value = |output: &Output, metric: &str| {
        let line: Value = serde_json::from_str(printed(output).lines().next().unwrap()).unwrap();
        let scores = line["scores"].as_array().unwrap().clone();
        let found = scores.into_iter().find(|score| score["metric"] == metric);
        found.unwrap()["value"].as_f64().unwrap()
    };
    let first = desk.runner(&sweep);
    let fid = value(&first, "fid");
    // The same images as the sweep's, and the same reference, by the other command.
    assert!(
        desk.runner(&["export", "small.toml", "--out", "samples.npz"])
            .status
            .success()
    );
    let scored = desk.runner(&[
        "score",
        "samples.npz",
        "--reference",
        "real",
        "--weights",
        "inception.safetensors",
        "--metrics",
        "fid",
        "--json",
    ]);
    let scored = printed(&scored);
    let scored: Value = serde_json::from_str(scored.lines().next().unwrap()).unwrap();
    assert_eq!(scored["value"].as_f64(), Some(fid));
    assert!(said(&desk.runner(&sweep)).contains("jobs are stored"));
    // Another image in place of one: another reference, though names and number stay.
    desk.scenes("other", 30..31, 16);
    std::fs::copy(desk.path("other/00030.png"), desk.path("real/00003.png")).unwrap();
    let changed = desk.runner(&sweep);
    assert_ne!(value(&changed, "fid"), fid);
}

#[test]
fn a_folder_is_no_reference_for_a_net_that_was_trained_here() {
    let desk = Desk::new();
    desk.scenes("real", 0..8, 16);
    experiment(
        &desk,
        &format!(
            "features = \"shapes\"\nweights = \"{}\"\nmetrics = [\"fd\"]",
            shipped("experiments/shapes/features.safetensors")
        ),
    );
    let refused = desk.runner(&["plan", "small.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    let words = said(&refused);
    assert!(
        words.contains("eval.reference = \"real\" is a folder"),
        "{words}"
    );
    assert!(
        words.contains("runner reference real --resolution"),
        "{words}"
    );
}
