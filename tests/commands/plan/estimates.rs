//! Times of nets that were never run: by a speed that is given, by a probe, or not at all; and what a plan takes of a disk
//! and a file system.

use crate::desk::Desk;
use crate::support::program::Runner;
use serde_json::Value;

/// The jobs of `a.toml` as JSON, with these arguments.
fn jobs(desk: &Desk, args: &[&str]) -> Vec<Value> {
    let all = [&["plan", "a.toml", "--json"], args].concat();
    desk.runner(&all).succeeds().json_lines()
}

#[test]
fn a_speed_makes_multiplications_into_seconds() {
    let desk = Desk::new();
    let only = ["--only", "steps=25", "--rate", "2"];
    let timed = jobs(&desk, &only);
    let sample = |line: &&Value| line["stage"] == "sample";
    for line in timed.iter().filter(sample) {
        let count = line["multiplications"].as_f64().unwrap();
        assert_eq!(line["seconds"].as_f64().unwrap(), count / 2e12);
        assert_eq!(line["seconds_from"], "estimated");
        // ADM-64 takes 109.7 G an image and step; guidance adds its classifier's gradient.
        let each = count / 25_000.0 / 109.7e9;
        let guided = line["spec"]["guidance"]["scale"].as_f64() > Some(0.0);
        let range = if guided { 1.1..2.0 } else { 0.99..1.01 };
        assert!(range.contains(&each), "{each}");
        assert_eq!(line["bytes"], 1000 * (64 * 64 * 3 + 8));
    }
    let metrics = timed.iter().find(|line| line["stage"] == "metrics");
    assert_eq!(metrics.unwrap()["seconds"], Value::Null);
    // Neither a key nor any other field depends on it.
    for (with, without) in timed.iter().zip(jobs(&desk, &only[..2])) {
        assert_eq!(without["seconds"], Value::Null);
        for (field, value) in without.as_object().unwrap() {
            if !field.starts_with("seconds") {
                assert_eq!(value, &with[field], "{field}");
            }
        }
    }
}

#[test]
fn the_table_sums_up_by_stage_and_marks_estimates() {
    let desk = Desk::new();
    let only = ["plan", "a.toml", "--only", "steps=25", "--only", "scale=0"];
    let text = desk.done(&[&only[..], &["--rate", "1", "--set", "sample.part=100"]].concat());
    // 25,000 evaluations of 109.7 G are 2.74e15 multiply-adds, 46 minutes of such a device.
    assert!(
        text.contains("25 k evals, about 46 min (estimated)"),
        "{text}"
    );
    let row = |name: &str| {
        let mut lines = text
            .lines()
            .skip_while(|line| !line.contains("device time"));
        let line = lines.find(|line| line.trim_start().starts_with(name));
        let words = line.unwrap().split("  ").filter(|word| !word.is_empty());
        words
            .map(|word| word.trim().to_string())
            .collect::<Vec<_>>()
    };
    // Ten parts, the folder, job.toml, the log, the manifest and its copy.
    assert_eq!(row("sample")[1..4], ["46 min (estimated)", "12.3 MB", "15"]);
    assert_eq!(row("metrics")[1..4], ["not known", "0 bytes", "7"]);
    assert!(
        row("all")[1].ends_with("(estimated) + 1 job not known"),
        "{text}"
    );
    assert!(text.contains("estimated: by multiply-adds, and 1 x 10^12 multiply-adds a second"));
}

#[test]
fn nothing_is_measured_where_nobody_wants_it() {
    let desk = Desk::new();
    for (args, probe) in [
        (["plan", "a.toml", "--no-probe"], "0"),
        (["plan", "a.toml", "--json"], "0"),
        (["plan", "a.toml", "--why"], "0"),
        (["plan", "a.toml", "--set=name=b"], "1"),
    ] {
        let runner = desk.runner(&args).env("RUNNER_NO_PROBE", probe);
        let answer = runner.succeeds();
        assert!(!answer.stderr.contains("measuring"), "{answer:?}");
        assert!(!answer.stdout.contains("estimated"), "{answer:?}");
    }
    assert!(!desk.path("runner/rates").exists());
}

#[test]
fn a_machine_is_measured_once() {
    let cache = tempfile::tempdir().unwrap();
    let plan = || {
        let runner = Runner::new().args(["plan", "experiments/guidance.toml", "--until=sample"]);
        let runner = runner.args(["--only", "resolution=16", "--only", "scale=0", "--store"]);
        let runner = runner.arg(cache.path().join("store")).arg("--cache");
        runner.arg(cache.path()).env("RUNNER_NO_PROBE", "0")
    };
    let first = plan().args(["--device", "cpu"]).succeeds();
    let first = first.says("measuring this machine's cpu (5 s), kept in ");
    assert!(first.stdout.contains("(estimated)"), "{first:?}");
    let again = plan().args(["--device", "cpu", "--no-probe"]).succeeds();
    assert_eq!(again.stderr, "");
    // What is free on the disk changes meanwhile.
    let lines = |text: &str| {
        let own = text.lines().filter(|line| !line.contains("disk: "));
        own.map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(lines(&again.stdout), lines(&first.stdout));
}

#[test]
fn a_speed_that_is_none_is_refused() {
    let desk = Desk::new();
    for rate in ["0", "-1", "fast", "inf", "NaN"] {
        let refused = desk.refused(&["plan", "a.toml", &format!("--rate={rate}")]);
        assert!(refused.contains("a number above 0 is needed"), "{refused}");
    }
    desk.runner(&["plan", "a.toml", "--device", "tpu"])
        .refuses()
        .says("`tpu` is not a device");
}
