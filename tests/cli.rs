//! The program as people run it: help, exit codes, errors, pipes.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn runner(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(args)
        .current_dir(folder)
        .env_remove("RUNNER_STORE")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with `a.toml`, whose files exist but hold nothing that could be run.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "net.pt",
        "guide.pt",
        "features.safetensors",
        "reference.npz",
    ] {
        std::fs::write(folder.path().join(name), "not a checkpoint").unwrap();
    }
    std::fs::write(folder.path().join("a.toml"), EXPERIMENT).unwrap();
    folder
}

const EXPERIMENT: &str = r#"name = "guidance64"
[model]
preset = "imagenet64"
checkpoint = "net.pt"
[guidance]
preset = "imagenet64-classifier"
checkpoint = "guide.pt"
scale = 1.0
[sample]
sampler = "ddim"
steps = 25
count = 1000
[eval]
features = "shapes"
weights = "features.safetensors"
reference = "reference.npz"
metrics = ["fd"]
[grid]
sample.steps = [25, 50]
guidance.scale = [0, 0.5, 1, 4]
"#;

#[test]
fn help_names_every_command_and_the_long_one_has_examples() {
    let folder = folder();
    let short = stdout(&runner(folder.path(), &["-h"]));
    assert!(short.starts_with("Run ablation sweeps of diffusion models and score their images"));
    for (command, what) in [
        ("plan", "Show what a sweep would run, and why"),
        ("sweep", "Run what is missing"),
        ("status", "Show where a sweep stands, or what one cell did"),
        ("report", "Write tables, charts and sample grids"),
        ("reference", "Compute reference statistics of a dataset"),
        (
            "likelihood",
            "Bits per dimension of images under a denoiser",
        ),
        (
            "reconstruct",
            "Images to noise and back by DDIM, and images between two of them",
        ),
        ("inspect", "Show what a checkpoint, npz or key holds"),
        ("fetch", "Get published weights, references and samples"),
        ("clean", "Free stored results that no experiment needs"),
    ] {
        let line = format!("  {command:<13}{what}\n");
        assert!(short.contains(&line), "{line}\n{short}");
    }
    let long = runner(folder.path(), &["--help"]);
    assert_eq!(long.status.code(), Some(0));
    assert!(
        stdout(&long).contains("runner sweep experiments/guidance.toml --device cuda:0,cuda:1")
    );
    for command in [
        "plan",
        "sweep",
        "status",
        "report",
        "reference",
        "likelihood",
        "reconstruct",
        "inspect",
        "fetch",
        "import",
        "clean",
    ] {
        let help = runner(folder.path(), &[command, "--help"]);
        assert_eq!(help.status.code(), Some(0));
        assert!(stdout(&help).contains("Examples:\n"), "{command}");
    }
}

#[test]
fn no_command_and_a_wrong_flag_exit_with_2() {
    let folder = folder();
    for args in [
        &[][..],
        &["plan"],
        &["sweep", "a.toml", "--stpes"],
        &["swep", "a.toml"],
    ] {
        assert_eq!(
            runner(folder.path(), args).status.code(),
            Some(2),
            "{args:?}"
        );
    }
}

#[test]
fn plan_shows_the_grid_the_jobs_and_what_they_cost() {
    let folder = folder();
    let plan = runner(folder.path(), &["plan", "a.toml"]);
    let text = stdout(&plan);
    assert_eq!(plan.status.code(), Some(0), "{}", stderr(&plan));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "guidance64: 8 cells = steps [25, 50] x scale [0, 0.5, 1, 4]"
    );
    assert_eq!(lines[2], "  stage     jobs  stored  to run  cost");
    assert_eq!(lines[3], "  sample       8       0       8  300 k evals");
    assert_eq!(lines[5], "  metrics      8       0       8  8,000 images");
    assert!(text.contains("  reference: reference.npz  sha256 "));
    assert!(
        !folder.path().join(".runner").exists(),
        "a plan writes nothing"
    );
}

#[test]
fn plan_tells_why_and_speaks_json() {
    let folder = folder();
    let only = ["--only", "scale=0,4", "--only", "steps=50"];
    let why = runner(
        folder.path(),
        &[&["plan", "a.toml", "--why"], &only[..]].concat(),
    );
    let text = stdout(&why);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.lines()
            .nth(1)
            .unwrap()
            .starts_with("     4  steps=50 scale=0")
    );
    assert!(text.contains("nothing stored yet"));
    let json = runner(
        folder.path(),
        &["plan", "a.toml", "--json", "--until", "sample"],
    );
    let lines: Vec<serde_json::Value> = stdout(&json)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[7]["spec"]["guidance"]["scale"], 4.0);
    assert_eq!(
        lines[0]["spec"]["sample"]["batch"], 50,
        "defaults are written out"
    );
    assert_eq!(lines[0]["state"], "to run");
}

#[test]
fn a_plan_piped_into_head_ends_quietly() {
    let folder = folder();
    let values: Vec<String> = (1..=900).map(|n| n.to_string()).collect();
    let set = format!("grid.sample.steps=[{}]", values.join(","));
    let mut child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["plan", "a.toml", "--json", "--set", &set])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 16];
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut first).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn errors_name_the_file_and_hints_stand_apart() {
    let folder = folder();
    let missing = runner(folder.path(), &["plan", "none.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).starts_with("error: none.toml: cannot be read: "));

    std::fs::write(
        folder.path().join("typo.toml"),
        EXPERIMENT.replace("steps = 25", "stpes = 25"),
    )
    .unwrap();
    let typo = stderr(&runner(folder.path(), &["plan", "typo.toml"]));
    assert!(typo.starts_with(
        "error: typo.toml: TOML parse error at line 11, column 1\n   |\n11 | stpes = 25\n   | ^^^^^\nunknown field `stpes`, expected one of "
    ), "{typo}");

    let axis = runner(
        folder.path(),
        &["plan", "a.toml", "--set", "guidance.scale=9"],
    );
    assert_eq!(
        stderr(&axis),
        "error: a.toml: --set guidance.scale=9: `guidance.scale` is an axis of [grid] with 4 values\n\n\
         hint: to run one slice, use `--only guidance.scale=4`; to replace the axis, use `--set grid.guidance.scale=[9]`\n"
    );
    assert_eq!(axis.status.code(), Some(2));
}

#[test]
fn a_missing_checkpoint_and_an_unknown_preset_are_found_by_the_plan() {
    let folder = folder();
    let gone = runner(
        folder.path(),
        &["plan", "a.toml", "--set", "model.checkpoint=gone.pt"],
    );
    assert_eq!(gone.status.code(), Some(2));
    let text = stderr(&gone);
    assert!(
        text.contains("cell 0 (steps=25 scale=0): model.checkpoint = \"gone.pt\" cannot be read"),
        "{text}"
    );
    let preset = runner(
        folder.path(),
        &["plan", "a.toml", "--set", "model.preset=imagnet64"],
    );
    assert!(
        stderr(&preset).contains("there is no preset `imagnet64`; the presets are imagenet64, ")
    );
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let folder = folder();
    let wrong = runner(folder.path(), &["sweep", "a.toml", "--device", "gpu"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).starts_with("error: `gpu` is not a device; write `cpu`, `cuda:0`"));
    if cfg!(not(feature = "cuda")) {
        let cuda = runner(folder.path(), &["sweep", "a.toml", "--device", "cuda:0"]);
        assert_eq!(
            stderr(&cuda),
            "error: no such device `cuda:0`: this build has no CUDA; available: cpu\n"
        );
    }
}

#[test]
fn a_sweep_of_broken_files_exits_with_1_and_status_shows_the_error() {
    let folder = folder();
    let only = ["--only", "scale=0"];
    let sweep = runner(
        folder.path(),
        &[&["sweep", "a.toml", "--device", "cpu"], &only[..]].concat(),
    );
    let text = stderr(&sweep);
    assert_eq!(sweep.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("guidance64: 6 of 6 jobs to run on cpu\n"),
        "{text}"
    );
    assert_eq!(text.matches("  failed  cell ").count(), 2, "{text}");
    assert!(text.contains("log: .runner/sample/"), "{text}");
    assert!(
        text.contains("2 jobs failed, 4 jobs not tried; see `runner status a.toml 0`"),
        "{text}"
    );

    let status = stdout(&runner(
        folder.path(),
        &[&["status", "a.toml"], &only[..]].concat(),
    ));
    assert!(
        status.ends_with("2 cells: 0 done, 2 failed, 0 under way, 0 waiting\n"),
        "{status}"
    );
    let cell = stdout(&runner(folder.path(), &["status", "a.toml", "4"]));
    assert!(
        cell.starts_with("cell 4  steps=50 scale=0\n  sample    failed "),
        "{cell}"
    );
    assert!(cell.contains("net.pt"), "{cell}");
    assert!(
        cell.contains("run it alone: runner sweep .runner/sample/"),
        "{cell}"
    );
    let none = runner(folder.path(), &["status", "a.toml", "8"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(stderr(&none).starts_with("error: there is no cell 8; the cells are 0..=7"));

    let clean = runner(folder.path(), &["clean", "a.toml"]);
    assert!(stdout(&clean).starts_with("nothing to free"));
    std::fs::write(folder.path().join("net.pt"), "other").unwrap();
    let clean = runner(folder.path(), &["clean", "a.toml"]);
    assert!(
        stderr(&clean).contains("would free 2 of 2 results"),
        "{}",
        stderr(&clean)
    );
    assert!(
        folder
            .path()
            .join(".runner/sample")
            .read_dir()
            .unwrap()
            .count()
            == 2
    );
    runner(folder.path(), &["clean", "a.toml", "--yes"]);
    assert!(
        folder
            .path()
            .join(".runner/sample")
            .read_dir()
            .unwrap()
            .count()
            == 0
    );
}

#[test]
fn a_store_that_cannot_be_written_gives_one_clear_message() {
    let folder = folder();
    let sweep = runner(
        folder.path(),
        &[
            "sweep",
            "a.toml",
            "--device",
            "cpu",
            "--store",
            "net.pt/store",
        ],
    );
    assert_eq!(sweep.status.code(), Some(2));
    let text = stderr(&sweep);
    assert!(
        text.starts_with("error: the store `net.pt/store` cannot be written: "),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn inspect_refuses_what_it_does_not_know() {
    let folder = folder();
    for (what, expected) in [
        (
            "zzz",
            "error: `zzz` is neither a file nor the first digits of a key\n",
        ),
        (
            "abcd",
            "error: no result in .runner has a key that starts with abcd\n",
        ),
    ] {
        let output = runner(folder.path(), &["inspect", what]);
        assert_eq!(stderr(&output), expected);
        assert_eq!(output.status.code(), Some(2));
    }
    let broken = runner(folder.path(), &["inspect", "net.pt"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(stderr(&broken).starts_with("error: reading net.pt: "));
}
