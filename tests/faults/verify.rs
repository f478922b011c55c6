//! `runner verify`: all that is wrong is listed, each with what mends it, and mended on request.

use crate::study::{Net, Study};
use fidrunner::process::table;
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The one file of the store with this name in a folder of `stage`.
fn file(study: &Study, stage: &str, name: &str) -> PathBuf {
    let fits = |file: &&PathBuf| file.starts_with(stage) && file.ends_with(name);
    let files = study.files();
    let mut found = files.iter().filter(fits);
    let file = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {stage}"));
    assert!(found.next().is_none(), "several {name}");
    study.store().join(file)
}

/// Writes a file that nobody has touched for an hour.
fn write_old(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(old)
        .unwrap();
}

/// Harms one file of every kind; what verify must name.
fn harm(study: &Study) -> Vec<PathBuf> {
    let journal = file(study, "train", "log.csv");
    fs::write(&journal, "step\n").unwrap();
    let copy = file(study, "train", ".copy.json");
    fs::write(&copy, "{}").unwrap();
    let job = file(study, "sample", "job.toml");
    fs::write(&job, "name = \"small\"\n").unwrap();
    let stranger = job.with_file_name("notes.txt");
    fs::write(&stranger, "mine").unwrap();
    let images = file(study, "sample", "images-000000-000008.npz");
    let mut bytes = fs::read(&images).unwrap();
    bytes[1000] ^= 4;
    fs::write(&images, bytes).unwrap();
    let scores = file(study, "metrics", "scores.json");
    fs::remove_file(&scores).unwrap();
    let half = job.with_file_name(".images-000000-000008.npz.4000000-1.part");
    write_old(&half, "half");
    let answer = study.store().join("described/0123/part.npz");
    write_old(&answer, "no npz");
    let worker = study.store().join("workers/dead.json");
    let record = json!({
        "id": "dead", "host": table::host(), "pid": 4_000_000, "born": 1, "namespace": null, "device": "cpu",
        "scheduler": null, "runner": "0.1.0", "started": "2026-01-01T00:00:00Z", "beat": 3, "done": 0, "failed": 0,
        "doing": [],
    });
    write_old(&worker, &record.to_string());
    vec![
        journal, copy, job, stranger, images, scores, half, answer, worker,
    ]
}

#[test]
fn all_that_is_wrong_is_listed_and_mended() {
    let study = Study::of(Net::Trained, 1);
    study.sweep();
    let table = study.table();
    study
        .runner(&["verify"])
        .succeeds()
        .says("nothing is wrong");
    let harmed = harm(&study);
    let listed = study.runner(&["verify"]).ends_with(1);
    let below = |path: &PathBuf| path.strip_prefix(study.at()).unwrap().display().to_string();
    for path in &harmed {
        let lines = listed.stdout.lines();
        let named = lines.filter(|line| line.starts_with(&format!("{}: ", below(path))));
        assert_eq!(named.count(), 1, "{}\n{}", below(path), listed.stdout);
    }
    assert_eq!(
        listed.stdout.lines().count(),
        harmed.len(),
        "{}",
        listed.stdout
    );
    let mended_by = "(to mend it: runner verify .runner --repair)";
    assert!(listed.stdout.lines().all(|line| line.ends_with(mended_by)));
    let listed = listed.says(&format!("{} things are wrong", harmed.len()));
    assert!(
        listed.stderr.contains("4 finished results"),
        "{}",
        listed.stderr
    );
    let objects = study
        .runner(&["verify", "--json"])
        .ends_with(1)
        .json_lines();
    assert_eq!(objects.len(), harmed.len() + 1);
    assert_eq!(objects[harmed.len()]["problems"], harmed.len());

    all_is_mended(&study, &harmed);
    assert_eq!(study.table(), table);
}

/// The repair does what is said of it, and the sweep after it the rest.
fn all_is_mended(study: &Study, harmed: &[PathBuf]) {
    study.runner(&["verify", "--repair"]).succeeds();
    study
        .runner(&["verify"])
        .succeeds()
        .says("nothing is wrong");
    // What is kept twice is there again, what is not is set aside, what was a dead process's is gone.
    let [_, copy, job, stranger, images, scores, half, answer, worker] = harmed else {
        panic!()
    };
    for back in [copy, job, scores] {
        assert!(back.exists(), "{}", back.display());
    }
    for aside in [stranger, images, answer] {
        assert!(!aside.exists(), "{}", aside.display());
        assert!(Path::new(&format!("{}.broken", aside.display())).exists());
    }
    assert!(!half.exists() && !worker.exists());
    study.sweep();
    assert!(images.exists());
    let last = study.runner(&["verify"]).succeeds();
    last.says("note: ")
        .says("damaged files are kept as NAME.broken");
}

#[test]
fn an_input_that_has_changed_is_told_and_is_no_fault() {
    let study = Study::of(Net::Shipped, 1);
    let text = fs::read_to_string(study.path("small.toml")).unwrap();
    let weights = text
        .lines()
        .find(|line| line.starts_with("weights = "))
        .unwrap();
    let from = weights.split('"').nth(1).unwrap();
    fs::copy(from, study.path("own.safetensors")).unwrap();
    let text = text.replace(weights, "weights = \"own.safetensors\"");
    fs::write(study.path("small.toml"), text).unwrap();
    study.sweep();
    fs::write(study.path("own.safetensors"), "another").unwrap();
    let answer = study.runner(&["verify"]).succeeds();
    let answer = answer
        .says("note: own.safetensors: its content has changed since 1 result was made from it");
    answer.says("nothing is wrong");
    fs::remove_file(study.path("own.safetensors")).unwrap();
    let answer = study.runner(&["verify"]).succeeds();
    answer.says("note: own.safetensors: not to be read from here");
}

#[test]
fn a_report_is_compared_with_the_store() {
    let study = Study::of(Net::Shipped, 2);
    study.sweep();
    let report = ["verify", "reports/small"];
    let answer = study.runner(&report).succeeds();
    answer.says("reports/small: 2 of 2 finished rows compared with the store");
    let table = study.table();
    let value = table.lines().nth(2).unwrap().split(',').nth(3).unwrap();
    let other = format!("9{value}");
    fs::write(
        study.path("reports/small/table.csv"),
        table.replace(value, &other),
    )
    .unwrap();
    fs::remove_file(study.path("reports/small/table.md")).unwrap();
    let answer = study.runner(&report).ends_with(1);
    let answer = answer.prints(&format!("cell 1: fd is {other}, the store has "));
    let answer = answer.prints("reports/small/table.md: missing");
    let answer = answer.prints("table.csv: it has other bytes than the report wrote");
    assert_eq!(answer.stdout.lines().count(), 3, "{}", answer.stdout);
    study.runner(&["report", "small.toml"]).succeeds();
    study.runner(&report).succeeds();
    let elsewhere = [&report[..], &["--store", "none"]].concat();
    let answer = study.runner(&elsewhere).succeeds();
    answer.says("the store none has no whole scores of cells 0, 1; their rows are not compared");
}

#[test]
fn a_store_that_is_not_there_is_refused() {
    let study = Study::of(Net::Shipped, 1);
    let answer = study.runner(&["verify"]).refuses();
    answer
        .says("error: there is no store `.runner`")
        .says("hint: name its folder");
    assert!(!study.store().exists());
}
