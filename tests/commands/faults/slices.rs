//! The report of a slice never takes the place of the whole study's.

use crate::support::program::Runner;
use std::collections::BTreeMap;
use std::path::Path;

const STUDY: &str = r#"
name = "study"
[model]
checkpoint = "ROOT/experiments/shapes/unet16.safetensors"
[guidance]
checkpoint = "ROOT/experiments/shapes/classifier16.safetensors"
scale = 0
[sample]
steps = 2
count = 8
[eval]
features = "shapes"
weights = "ROOT/experiments/shapes/features.safetensors"
reference = "ROOT/reference_stats/shapes16.npz"
metrics = ["fd"]
[grid]
guidance.scale = [0, 5]
"#;

/// What the program says on stderr.
fn said(folder: &Path, args: &[&str]) -> String {
    let runner = Runner::new().at(folder).args(args);
    let out = runner.command().output().unwrap();
    let talk = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{talk}");
    talk
}

/// Every file below a folder but those of slices, by its path.
fn whole(report: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(report).into_iter().flatten();
    let files = entries.filter(|e| e.file_type().is_file());
    let read = |e: walkdir::DirEntry| {
        let name = e.path().strip_prefix(report).unwrap();
        (name.display().to_string(), std::fs::read(e.path()).unwrap())
    };
    let files = files.map(read);
    files.filter(|(n, _)| !n.starts_with("slice-")).collect()
}

/// The folder that the last line names.
fn told(talk: &str) -> String {
    let last = talk.lines().last().unwrap();
    let (_, rest) = last
        .split_once("the report of this slice is in ")
        .expect(talk);
    rest.split(';').next().unwrap().to_string()
}

#[test]
fn a_slice_has_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = STUDY.replace("ROOT", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(at.join("study.toml"), text).unwrap();
    let talk = said(at, &["report", "study.toml"]);
    assert!(!talk.contains("slice"), "{talk}");
    let report = at.join("reports/study");
    let before = whole(&report);
    assert!(before.contains_key("table.csv") && before.contains_key("index.html"));

    let options = ["--set", "sample.count=4", "--only", "guidance.scale=5"];
    let swept = told(&said(
        at,
        &[&["sweep", "study.toml"], &options[..]].concat(),
    ));
    assert!(
        swept.starts_with("reports/study/slice-sample-count-4-guidance-scale-5-"),
        "{swept}"
    );
    let table = std::fs::read_to_string(at.join(&swept).join("table.csv")).unwrap();
    assert_eq!(table.lines().count(), 2, "{table}");
    let turned = ["--only", "guidance.scale=5", "--set", "sample.count=4"];
    let again = told(&said(
        at,
        &[&["report", "study.toml"], &turned[..]].concat(),
    ));
    assert_eq!(again, swept);
    let other = told(&said(
        at,
        &["report", "study.toml", "--only", "guidance.scale=5"],
    ));
    assert_ne!(other, swept);
    assert!(whole(&report) == before);

    // Where a folder is named, the report is there and nowhere else.
    let talk = said(
        at,
        &[&["report", "study.toml", "--out", "mine"], &options[..]].concat(),
    );
    assert!(!talk.contains("slice"), "{talk}");
    assert!(at.join("mine/table.csv").exists() && whole(&report) == before);
}
