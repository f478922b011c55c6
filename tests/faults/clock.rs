//! Clocks that jump by an hour, forward and back, while a sweep runs.

use crate::shim::{shim, with_shim};
use crate::study::{Net, Study};
use std::process::Stdio;
use std::time::{Duration, Instant};

const SWEEP: [&str; 4] = ["sweep", "small.toml", "--device", "cpu"];

#[test]
fn a_clock_that_jumps_changes_no_result() {
    let Some(shim) = shim() else { return };
    let whole = Study::of(Net::Trained, 1);
    whole.sweep();
    for every in [1, 3, 20] {
        let study = Study::of(Net::Trained, 1);
        let jumps = [("SHIM_CLOCK", every.to_string())];
        let answer = with_shim(&study, shim, &jumps, &SWEEP).succeeds();
        assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
        assert!(study.table() == whole.table(), "another table");
        let status = with_shim(&study, shim, &jumps, &["status", "small.toml", "0"]).succeeds();
        assert!(!status.stdout.contains(" -"), "{}", status.stdout);
        study.runner(&["verify"]).succeeds();
        for file in study
            .files()
            .iter()
            .filter(|f| f.ends_with("manifest.json"))
        {
            let text = std::fs::read(study.store().join(file)).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let seconds = manifest["seconds"].as_f64().unwrap();
            assert!((0.0..600.0).contains(&seconds), "{seconds}");
        }
    }
}

#[test]
fn a_living_process_keeps_its_work_whatever_its_clock_says() {
    let Some(shim) = shim() else { return };
    let study = Study::of(Net::Shipped, 1);
    let long = ["--set", "sample.steps=150", "--set", "sample.count=16"];
    let call = [&SWEEP[..], &long].concat();
    let jumps = [("SHIM_CLOCK", "1".to_string())];
    let mut first = with_shim(&study, shim, &jumps, &call)
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let leases = || study.files().iter().any(|file| file.ends_with("lease"));
    let started = Instant::now();
    while !leases() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = study.runner(&call).succeeds();
    let ended = first.wait().expect("an end");
    assert!(ended.success(), "the first process failed");
    // Whoever took the part of the other would have made its images twice.
    let drawn = study.logs("Z images 0..8 of 16");
    assert_eq!(drawn, 1, "{}", second.stderr);
}
