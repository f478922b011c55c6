//! Images that are there already, as samples of a sweep.

use crate::any_model::study::{Study, eval};
use crate::support::program::shipped;
use std::process::Command;

/// `count` images of the shipped sampler in a folder of the study.
fn images(study: &Study, folder: &str, count: usize, spread: f64) {
    std::fs::create_dir_all(study.path(folder)).unwrap();
    let status = Command::new("python3")
        .arg(shipped("examples/any_model/sample.py"))
        .args(["--out", study.path(folder).to_str().unwrap()])
        .args([
            "--count",
            &count.to_string(),
            "--spread",
            &spread.to_string(),
        ])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

fn study(grid: &str) -> Study {
    let text = format!(
        "name = \"study\"\n[sample]\nfrom = \"samples/spots-cfg-{{vars.cfg}}\"\n[vars]\ncfg = 1\n[grid]\nvars.cfg = {grid}\n{}",
        eval("[\"fd\"]")
    );
    let study = Study::of(&text);
    images(&study, "samples/spots-cfg-1.5", 12, 2.0);
    images(&study, "samples/spots-cfg-4", 10, 4.0);
    study
}

#[test]
fn images_that_are_there_are_scored_and_nothing_is_run() {
    let study = study("[1.5, 4]");
    study.sweep(&[]).succeeds();
    let table = study.table();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.lines().nth(1).unwrap().contains("1.5"), "{table}");
    study.sweep(&[]).succeeds().says("all 6 jobs are stored");
    // The contents are the key: a folder under another name is not scored again, one that has changed is.
    images(&study, "samples/spots-cfg-4", 11, 4.0);
    study.sweep(&[]).succeeds().says("3 of 6 jobs to run");
}

#[test]
fn a_star_takes_every_value_that_the_names_hold() {
    let study = study("\"*\"");
    study.sweep(&[]).succeeds();
    let table = study.table();
    assert_eq!(table.lines().count(), 3, "{table}");
    images(&study, "samples/spots-cfg-10", 10, 3.0);
    let plan = study.plan(&[]);
    let text = format!("{plan:?}");
    assert!(text.contains("10") && plan.len() >= 9, "{text}");
}

#[test]
fn what_is_not_there_is_named_with_its_place() {
    let study = study("[1.5, 7]");
    study
        .sweep(&[])
        .refuses()
        .says("samples/spots-cfg-7")
        .says("nothing is there");
    let study = self::study("[1.5, 4]");
    study
        .sweep(&["--set", "sample.count=11"])
        .refuses()
        .says("holds 10 images, and sample.count = 11");
}
