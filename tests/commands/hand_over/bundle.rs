//! `runner report --bundle`: one zip file with all that a paper needs, and the digest of everything in it.

use crate::desk::Desk;
use crate::hand_over::study::half_done;
use crate::support::files::{names, sha256};
use crate::support::program::repository;
use std::io::Read;
use std::process::Command;
use zip::ZipArchive;

/// The small study of which one cell is finished, with a chart and a claim.
fn study() -> Desk {
    let desk = half_done();
    let text = std::fs::read_to_string(desk.path("small.toml")).unwrap();
    let shown = r#"
[[chart]]
x = "sample.steps"
y = ["fd"]
[[claim]]
source = "Dhariwal and Nichol 2021, arXiv 2105.05233, table 4"
says = "more steps are better"
metric = "fd"
better.sample.steps = 3
than.sample.steps = 2
[report]
column = "single"
"#;
    desk.write("small.toml", &format!("{text}{shown}"));
    desk
}

/// Names and contents of a zip file, in its order.
fn read(desk: &Desk, name: &str) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(std::fs::File::open(desk.path(name)).unwrap()).unwrap();
    let files = (0..zip.len()).map(|i| {
        let mut file = zip.by_index(i).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let time = file.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day()), (1980, 1, 1));
        (file.name().unwrap().to_string(), bytes)
    });
    files.collect()
}

fn text(files: &[(String, Vec<u8>)], name: &str) -> String {
    let file = files.iter().find(|(known, _)| known == name);
    String::from_utf8(file.unwrap().1.clone()).unwrap()
}

#[test]
fn a_bundle_holds_the_study_and_tells_what_is_missing() {
    let desk = study();
    let answer = desk.run(&["report", "small.toml", "--bundle", "out/paper.zip"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let answer = answer
        .says("wrote out/paper.zip")
        .says("1 of 2 cells are missing");
    answer.prints("FD (shapes)");
    // The sweep wrote the report of its slice alone.
    assert!(!desk.path("reports/small/index.html").exists());
    assert_eq!(names(&desk.path("out")), ["paper.zip"]);
    let files = read(&desk, "out/paper.zip");
    let listed: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        listed,
        [
            "README.txt",
            "digests.txt",
            "experiment.toml",
            "fd-vs-steps.pdf",
            "fd-vs-steps.svg",
            "index.html",
            "references.bib",
            "resolved.toml",
            "table.csv",
            "table.md",
            "table.tex",
        ]
    );
    let readme = text(&files, "README.txt");
    assert!(
        readme.contains("\n  runner report small.toml --bundle FILE.zip\n  runner 0.1.0\n"),
        "{readme}"
    );
    assert!(
        readme.contains("missing: 1 of 2\n  cell 1, steps 3: not run\n"),
        "{readme}"
    );
    for name in &listed {
        assert!(
            readme.contains(&format!("\n  {name} ")),
            "{name} in {readme}"
        );
    }
    let given = std::fs::read_to_string(desk.path("small.toml")).unwrap();
    assert_eq!(text(&files, "experiment.toml"), given);
    assert!(text(&files, "references.bib").contains("@misc{dhariwal2021_2105_05233,"));
    let pdf = files.iter().find(|(name, _)| name == "fd-vs-steps.pdf");
    assert!(pdf.unwrap().1.starts_with(b"%PDF-"));
    // What is resolved is an experiment file too.
    desk.write("resolved.toml", &text(&files, "resolved.toml"));
    desk.done(&["plan", "resolved.toml"]);
}

#[test]
fn the_digests_are_those_of_the_files_and_of_what_the_results_rest_on() {
    let desk = study();
    desk.done(&["report", "small.toml", "--bundle", "paper.zip"]);
    let files = read(&desk, "paper.zip");
    let digests = text(&files, "digests.txt");
    let own: Vec<&str> = digests
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let expected = files.iter().filter(|(name, _)| name != "digests.txt");
    let expected: Vec<String> = expected
        .map(|(name, bytes)| format!("{}  {name}", sha256(bytes)))
        .collect();
    assert_eq!(own, expected);
    for file in [
        "experiments/shapes/unet16.safetensors",
        "experiments/shapes/features.safetensors",
        "reference_stats/shapes16.npz",
    ] {
        let digest = sha256(&std::fs::read(repository(file)).unwrap());
        let line = digests
            .lines()
            .find(|line| line.starts_with(&format!("# {digest}  ")));
        assert!(
            line.is_some_and(|line| line.ends_with(file)),
            "{file} in {digests}"
        );
    }
    let unpacked = tempfile::tempdir().unwrap();
    for (name, bytes) in &files {
        std::fs::write(unpacked.path().join(name), bytes).unwrap();
    }
    let mut check = Command::new("sha256sum");
    check.args(["-c", "--strict", "digests.txt"]);
    match check.current_dir(unpacked.path()).output() {
        Ok(check) => assert!(
            check.status.success(),
            "{}",
            String::from_utf8_lossy(&check.stdout)
        ),
        Err(_) => println!("skipped: there is no sha256sum"),
    }
}

#[test]
fn two_bundles_are_the_same_bytes_whatever_their_names() {
    let desk = study();
    desk.done(&["report", "small.toml", "--bundle", "one.zip"]);
    desk.done(&["report", "small.toml", "--bundle", "other.zip"]);
    let bytes = |name: &str| std::fs::read(desk.path(name)).unwrap();
    assert!(bytes("one.zip") == bytes("other.zip"));
    // A slice is told in the command.
    desk.done(&[
        "report",
        "small.toml",
        "--only",
        "sample.steps=2",
        "--bundle",
        "one.zip",
    ]);
    let readme = text(&read(&desk, "one.zip"), "README.txt");
    assert!(
        readme.contains("runner report small.toml --only sample.steps=2 --bundle FILE.zip"),
        "{readme}"
    );
    assert!(readme.contains("all 1 are finished"), "{readme}");
}

#[test]
fn a_bundle_that_cannot_be_written_leaves_what_was_there() {
    let desk = study();
    desk.write("kept.zip", "mine");
    let error = desk.refused(&["report", "small.toml", "--bundle", "kept.zip/a.zip"]);
    assert!(error.contains("kept.zip"), "{error}");
    assert_eq!(
        std::fs::read_to_string(desk.path("kept.zip")).unwrap(),
        "mine"
    );
    std::fs::create_dir(desk.path("folder")).unwrap();
    let error = desk.refused(&["report", "small.toml", "--bundle", "folder"]);
    assert!(
        error.contains("--bundle folder is a folder; allowed: the name of a file"),
        "{error}"
    );
    assert!(error.contains("hint: --bundle folder/paper.zip"), "{error}");
    for other in [["--format", "md"], ["--out", "x"]] {
        let call = ["report", "small.toml", "--bundle", "a.zip"];
        let error = desk.refused(&[&call[..], &other].concat());
        assert!(error.contains("cannot be used with"), "{error}");
    }
    assert!(!desk.path("a.zip").exists());
}
