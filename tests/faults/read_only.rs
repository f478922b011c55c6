//! A store that cannot be written: what only reads works, what would write says so, and nothing changes.

use crate::shim::{shim, with_shim};
use crate::study::{Net, Study};
use crate::support::program::{Answer, PROGRAM};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// Runs a call while the store is read-only: mounted so in a namespace of the call's own where the system allows it, else
/// by the C library's answers; None where neither can be had.
fn read_only(study: &Study, call: &[&str]) -> Option<Answer> {
    let script = "mount --bind .runner .runner && mount -o remount,ro,bind .runner && exec \"$@\"";
    let may = Command::new("unshare")
        .args([
            "-rm",
            "sh",
            "-c",
            &script.replace("exec \"$@\"", "! touch .runner/x"),
        ])
        .current_dir(study.at())
        .output();
    if may.is_ok_and(|may| may.status.success()) {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, "sh", PROGRAM]);
        command.args(call).current_dir(study.at());
        command.env_remove("RUNNER_STORE");
        return Some(Answer::of(command.output().expect("a call")));
    }
    let settings = [
        ("SHIM_FAIL_FROM", "1".to_string()),
        ("SHIM_ERRNO", "30".to_string()),
    ];
    Some(with_shim(study, shim()?, &settings, call).run())
}

fn contents(study: &Study) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |file: PathBuf| {
        let bytes = std::fs::read(study.store().join(&file)).expect("a file");
        (file, bytes)
    };
    study.files().into_iter().map(read).collect()
}

#[test]
fn a_read_only_store_is_read_and_not_written() {
    let study = Study::of(Net::Shipped, 2);
    study.sweep();
    let before = contents(&study);
    for call in [
        &["plan", "small.toml"][..],
        &["status", "small.toml"],
        &["verify"],
        &["report", "small.toml", "--out", "elsewhere"],
    ] {
        let Some(answer) = read_only(&study, call) else {
            println!("skipped: no namespaces and no C compiler");
            return;
        };
        // Where the C library stands for the mount, the report cannot be written either.
        let mounted = !answer.stderr.contains("writing elsewhere");
        if mounted {
            assert_eq!(answer.code, Some(0), "{call:?}\n{}", answer.stderr);
        }
        assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
    }
    let more = [
        "sweep",
        "small.toml",
        "--device",
        "cpu",
        "--set",
        "sample.count=20",
    ];
    let answer = read_only(&study, &more).expect("as before");
    let said = format!("{:?}\n{}", answer.code, answer.stderr);
    assert!(matches!(answer.code, Some(1 | 2)), "{said}");
    assert!(answer.stderr.contains("cannot be written"), "{said}");
    assert_eq!(answer.stderr.matches("error:").count(), 1, "{said}");
    assert!(contents(&study) == before, "the store has changed");
}

#[test]
fn a_repair_of_a_read_only_store_says_why_it_mends_nothing() {
    let study = Study::of(Net::Shipped, 2);
    study.sweep();
    let scores = study
        .files()
        .into_iter()
        .find(|f| f.ends_with("scores.json"));
    let scores = study.store().join(scores.expect("scores"));
    std::fs::write(&scores, "[]").expect("damage");
    let before = contents(&study);
    let Some(answer) = read_only(&study, &["verify", "--repair"]) else {
        return;
    };
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let answer = answer.prints("scores.json: 2 bytes where ");
    answer.says("error: nothing is mended: the store `.runner` cannot be written: ");
    assert!(contents(&study) == before, "the store has changed");
}
