//! The program itself is killed with SIGKILL: its command ends, at once or by the next program.

use crate::alone::{alone, is_alone};
use crate::call::{Call, SOON, eventually, lives};
use fidrunner::process::orphan::{Former, end_recorded};
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

/// Set for a test that is to run a command until it is killed: the folder of its files.
const FOLDER: &str = "RUNNER_TEST_FOLDER";

/// This test again in a process of its own, which has started its command when this returns.
fn started(test: &str, folder: &Path) -> Child {
    let mut command = alone(module_path!(), test);
    command
        .env(FOLDER, folder)
        .stdout(std::process::Stdio::null());
    let child = command.spawn().unwrap();
    eventually("the start of the command", || folder.join("pids").exists());
    child
}

/// In that process: runs the script, which writes its processes' numbers to `pids`, until it is killed.
fn run_until_killed(script: &str) {
    let folder = std::env::var_os(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let record = folder.join("running.json");
    let mut call = Call::shell(script);
    call.folder = folder.to_path_buf();
    call.record = Some(&record);
    call.run();
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn pids(folder: &Path) -> Vec<u32> {
    let text = fs::read_to_string(folder.join("pids")).unwrap();
    text.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

#[test]
fn the_leader_ends_when_this_program_is_killed() {
    const TEST: &str = "the_leader_ends_when_this_program_is_killed";
    if is_alone(TEST) {
        return run_until_killed(
            "while [ ! -e running.json ]; do sleep 0.01; done; echo $$ > aside; mv aside pids; exec sleep 60",
        );
    }
    let folder = tempfile::tempdir().unwrap();
    kill(started(TEST, folder.path()));
    let [leader] = pids(folder.path())[..] else {
        panic!()
    };
    eventually("the end of the leader", || !lives(leader));
    // What was recorded is gone already.
    let record = folder.path().join("running.json");
    assert!(record.exists());
    assert_eq!(end_recorded(&record, SOON).unwrap(), Former::Nothing);
    assert!(!record.exists());
}

#[test]
fn what_outlives_a_killed_program_is_ended_by_the_next() {
    const TEST: &str = "what_outlives_a_killed_program_is_ended_by_the_next";
    if is_alone(TEST) {
        // The one that left the group is written down when it is found.
        return run_until_killed(
            "trap '' TERM; sleep 60 & A=$!; setsid sleep 60 & B=$!; until grep -q $B running.json; do sleep 0.05; done; echo $$ $A $B > aside; mv aside pids; wait",
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let child = started(TEST, folder.path());
    let record = folder.path().join("running.json");
    let said = format!("{:#}", end_recorded(&record, SOON).unwrap_err());
    assert!(
        said.contains(&format!("process {} runs the command", child.id())),
        "{said}"
    );
    let members = pids(folder.path());
    assert_eq!(members.len(), 3);
    kill(child);
    assert!(members.iter().all(|&pid| lives(pid)));
    let former = end_recorded(&record, Duration::from_millis(200)).unwrap();
    assert_eq!(former, Former::Ended(3));
    assert!(!members.iter().any(|&pid| lives(pid)));
    assert!(!record.exists());
}

#[test]
fn a_record_of_another_process_machine_or_start_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("running.json");
    let mut written = String::new();
    let mut call = Call::shell(
        "while [ ! -e running.json ]; do sleep 0.01; done; cat running.json; echo; sleep 60",
    );
    call.folder = folder.path().to_path_buf();
    call.record = Some(&record);
    let text = std::sync::Mutex::new(&mut written);
    call.run_until(|line| {
        let mut text = text.lock().unwrap();
        text.push_str(line);
        line == "}"
    })
    .unwrap();
    assert!(!record.exists(), "it goes with the command");
    assert_eq!(end_recorded(&record, SOON).unwrap(), Former::Nothing);

    // A group of somebody's, whose leader has the recorded number.
    let mut other = std::process::Command::new("setsid")
        .args(["-w", "sleep", "60"])
        .spawn()
        .unwrap();
    let born = |pid: u32| fidrunner::process::table::born(pid).unwrap();
    let mut running: serde_json::Value = serde_json::from_str(&written).unwrap();
    running["runner"]["born"] = 1.into();
    running["leader"]["pid"] = other.id().into();
    running["leader"]["born"] = (born(other.id()) + 1).into();
    running["outside"] = serde_json::json!([{"pid": other.id(), "born": born(other.id()) - 1}]);
    let end = |running: &serde_json::Value| {
        fs::write(&record, running.to_string()).unwrap();
        let former = end_recorded(&record, SOON).unwrap();
        (former, record.exists())
    };
    assert_eq!(end(&running), (Former::Nothing, false));

    running["leader"]["born"] = born(other.id()).into();
    let boot = running["namespace"].as_str().unwrap().to_string();
    running["namespace"] = format!("another-boot {}", boot.split(' ').nth(1).unwrap()).into();
    assert_eq!(end(&running), (Former::Nothing, false));
    running["namespace"] = format!("{} pid:[1]", boot.split(' ').next().unwrap()).into();
    let host = running["host"].as_str().unwrap().to_string();
    assert_eq!(end(&running), (Former::Elsewhere { host }, true));
    running["host"] = "elsewhere".into();
    let host = "elsewhere".to_string();
    assert_eq!(end(&running), (Former::Elsewhere { host }, true));
    assert!(lives(other.id()));
    other.kill().unwrap();
    other.wait().unwrap();

    fs::write(&record, "").unwrap();
    assert_eq!(end_recorded(&record, SOON).unwrap(), Former::Nothing);
    fs::write(&record, "{").unwrap();
    let said = format!("{:#}", end_recorded(&record, SOON).unwrap_err());
    assert!(
        said.contains("does not say which command ran\nhint: "),
        "{said}"
    );
}
