//! `--profile`: a trace that viewers read and a table that adds up, of one process and of several.

use crate::support::program::{Answer, Runner, shipped};
use serde_json::Value;
use std::path::Path;
use std::time::Instant;

/// A sweep of two small cells.
fn study(folder: &Path) {
    let text = format!(
        r#"
name = "small"
[model]
checkpoint = "{}"
[sample]
steps = 3
count = 12
part = 6
[eval]
features = "shapes"
weights = "{}"
reference = "{}"
metrics = ["fd"]
[grid]
sample.seed = [0, 1]
"#,
        shipped("experiments/shapes/unet16.safetensors"),
        shipped("experiments/shapes/features.safetensors"),
        shipped("reference_stats/shapes16.npz"),
    );
    std::fs::write(folder.join("small.toml"), text).unwrap();
}

/// A trace's spans and its processes' totals.
struct Trace {
    spans: Vec<Value>,
    totals: Vec<Value>,
}

impl Trace {
    fn read(path: &Path) -> Trace {
        let text = std::fs::read_to_string(path).unwrap();
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of = |ph: &str, name: Option<&str>| {
            let wanted =
                |event: &&Value| event["ph"] == ph && name.is_none_or(|name| event["name"] == name);
            events.iter().filter(wanted).cloned().collect::<Vec<_>>()
        };
        let totals = of("M", Some("totals"));
        Trace {
            spans: of("X", None),
            totals: totals.iter().map(|event| event["args"].clone()).collect(),
        }
    }

    /// How often `operation` stands in the trace.
    fn count(&self, operation: &str) -> usize {
        let named = self.spans.iter().filter(|span| span["name"] == operation);
        named.count()
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// How many spans a process's totals count.
fn calls(totals: &Value) -> u64 {
    let rows = totals["operations"].as_array().unwrap().iter();
    rows.map(|row| row["calls"].as_u64().unwrap()).sum()
}

/// Spans lie in the wall time, and own times add up to no more than the threads had.
fn adds_up(trace: &Trace, outside: f64) {
    let wall = number(&trace.totals[0]["wall"]);
    assert!(wall > 0.0 && wall <= outside, "{wall} of {outside}");
    for span in &trace.spans {
        let (start, length) = (number(&span["ts"]), number(&span["dur"]));
        let inside = start >= 0.0 && length >= 0.0 && start + length <= 1e6 * wall + 1.0;
        assert!(inside, "{span} is not in {wall} s");
    }
    for totals in &trace.totals {
        let (wall, threads) = (number(&totals["wall"]), number(&totals["threads"]));
        let rows = totals["operations"].as_array().unwrap();
        let own: f64 = rows.iter().map(|row| number(&row["seconds"])).sum();
        assert!(
            own > 0.0 && own <= wall * threads,
            "{own} of {wall} x {threads}"
        );
        let (worked, waited) = (number(&totals["worked"]), number(&totals["waited"]));
        assert!(
            worked > 0.0 && worked + waited <= wall * 1.000_001,
            "{totals}"
        );
        assert_eq!(totals["kept"], totals["spans"]);
    }
    let in_totals: u64 = trace.totals.iter().map(calls).sum();
    assert_eq!(in_totals, trace.spans.len() as u64);
}

fn sweep(folder: &Path, extra: &[&str]) -> (Answer, f64) {
    let runner = Runner::new().at(folder).args(["sweep", "small.toml"]);
    let started = Instant::now();
    let answer = runner.args(extra).succeeds();
    (answer, started.elapsed().as_secs_f64())
}

#[test]
fn a_sweep_tells_where_its_time_went() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let (answer, outside) = sweep(folder.path(), &["--profile", "--device", "cpu"]);
    let trace = Trace::read(&folder.path().join("profile.json"));
    adds_up(&trace, outside);
    assert_eq!(trace.totals.len(), 1);
    // Two cells of two parts of three steps.
    assert_eq!(trace.count("UNet, other"), 2 * 2 * 3);
    assert_eq!(trace.count("stage sample, other"), 2);
    assert_eq!(trace.count("Frechet distances"), 4, "with the baseline's");
    for operation in [
        "convolution, forward",
        "attention, forward",
        "group norm, forward",
        "linear, forward",
        "noise",
        "opening nets",
        "writing results",
        "planning",
        "tables, charts and report",
    ] {
        assert!(trace.count(operation) > 0, "{operation}");
    }
    let answer = answer.says("operation").says("UNet, other").says("of wall");
    answer
        .says(" at work, ")
        .says("trace: profile.json, for ui.perfetto.dev");
    // The same file may be written again.
    let (again, _) = sweep(
        folder.path(),
        &["--profile=profile.json", "--device", "cpu"],
    );
    again.says("planning");
    assert_eq!(
        Trace::read(&folder.path().join("profile.json")).count("UNet, other"),
        0
    );
}

#[test]
fn workers_are_part_of_the_trace_of_who_started_them() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let extra = ["--profile=two.json", "--device", "cpu:2"];
    let (answer, outside) = sweep(folder.path(), &extra);
    let trace = Trace::read(&folder.path().join("two.json"));
    adds_up(&trace, outside);
    let names: Vec<&str> = trace
        .totals
        .iter()
        .map(|totals| totals["process"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["sweep", "cpu:1/2", "cpu:2/2"]);
    assert_eq!(trace.count("UNet, other"), 2 * 2 * 3);
    assert_eq!(trace.count("waiting for worker processes"), 1);
    answer.says("  cpu:1/2: ").says("  cpu:2/2: ");
    let left = std::fs::read_dir(folder.path()).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains("worker-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn without_the_flag_nothing_is_said_or_written() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let (answer, _) = sweep(folder.path(), &["--device", "cpu", "--until", "sample"]);
    assert!(!answer.stderr.contains("of wall"), "{}", answer.stderr);
    assert!(!folder.path().join("profile.json").exists());
}

#[test]
fn a_file_that_cannot_be_a_trace_is_told_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    std::fs::write(folder.path().join("notes.json"), "[1, 2]").unwrap();
    std::fs::create_dir(folder.path().join("kept")).unwrap();
    let refused = |file: &str| {
        let flag = format!("--profile={file}");
        let runner = Runner::new().at(folder.path());
        runner.args(["sweep", "small.toml", &flag]).refuses()
    };
    refused("none/trace.json")
        .says("--profile=none/trace.json: the trace cannot be written")
        .says("hint: name a file in a folder that exists");
    refused("kept")
        .says("it is a folder")
        .says("`--profile=kept/profile.json`");
    refused("small.toml")
        .says("no trace of an earlier profile")
        .says("hint: name another");
    refused("notes.json").says("no trace of an earlier profile");
    let notes = std::fs::read_to_string(folder.path().join("notes.json")).unwrap();
    assert_eq!(notes, "[1, 2]");
    assert!(!folder.path().join(".runner").exists());
    let slurm = Runner::new().at(folder.path());
    let slurm = slurm
        .args(["sweep", "small.toml", "--slurm", "--profile"])
        .refuses();
    slurm.says("cannot be used with");
}
