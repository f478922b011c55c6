//! A worker whose time is up keeps the images that are drawn, and what follows is the same bits.

use crate::study::{Study, wait_for};
use crate::support::program::Answer;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

/// One part, which takes some seconds, of many batches.
const SAMPLE: &str = "steps = 25\ncount = 96\npart = 96\nbatch = 8";

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([name, &pid]).status();
    assert!(sent.unwrap().success());
}

fn images(study: &Study, store: &str) -> Vec<u8> {
    let out = format!("{store}.npz");
    let export = ["export", "shared.toml", "0", "--out", &out];
    study.call(store, &export).succeeds();
    std::fs::read(study.path(&out)).unwrap()
}

#[test]
fn what_is_drawn_is_kept_and_the_rest_is_the_same() {
    let study = Study::new(SAMPLE, "guidance.scale = [5]");
    let work = ["work", "shared.toml", "--stages", "sample"];
    study.call("whole", &work).succeeds();
    for (store, name) in [("term", "-TERM"), ("usr2", "-USR2")] {
        let mut worker = study.start(store, &[&work[..], &["--json"]].concat());
        let told = BufReader::new(worker.stdout.take().unwrap()).lines();
        let drawn = told.map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            line["done"].as_u64().unwrap_or(0)
        });
        assert!(
            drawn.into_iter().any(|images| images >= 16),
            "no batch was drawn"
        );
        signal(&worker, name);
        let answer = Answer::of(worker.wait_with_output().unwrap());
        assert_eq!(answer.code, Some(130), "{}", answer.stderr);
        assert!(
            answer
                .stderr
                .contains("stopped; what is made so far is kept")
        );
        let kept: Vec<String> = study.parts(store, "sample").into_keys().collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        let end = kept[0].strip_prefix("images-000000-").unwrap();
        let end: u64 = end.strip_suffix(".npz").unwrap().parse().unwrap();
        assert!(
            end.is_multiple_of(8) && (8..96).contains(&end),
            "whole batches: {end}"
        );
        assert_eq!(study.leftovers(store), Vec::<String>::new());
        study.call(store, &work).succeeds();
        assert!(images(&study, store) == images(&study, "whole"), "{name}");
    }
}

#[test]
fn a_worker_ends_with_its_time() {
    let study = Study::new(SAMPLE, "guidance.scale = [5]");
    let timed = ["work", "shared.toml", "--stages", "sample", "--for", "1s"];
    study
        .call("timed", &timed)
        .ends_with(130)
        .says("stopped; what is made so far is kept");
    assert!(study.parts("timed", "sample").len() <= 1);
    let wrong = ["work", "shared.toml", "--for", "2 hours"];
    study
        .call("timed", &wrong)
        .refuses()
        .says("`2 hours` is not a time");
}

#[test]
fn a_worker_ends_with_whoever_started_it() {
    let study = Study::new(SAMPLE, "guidance.scale = [5]");
    let mut command = study
        .call("child", &["work", "shared.toml", "--with-parent", "--json"])
        .command();
    let mut worker = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    wait_for("work", || !study.results("child", "sample").is_empty());
    drop(worker.stdin.take());
    let answer = Answer::of(worker.wait_with_output().unwrap());
    assert_eq!(answer.code, Some(130), "{}", answer.stderr);
}
