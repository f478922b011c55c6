//! Workers that are killed: their parts are made by others, at once on the same machine.

use crate::study::Study;
use crate::study::wait_for;
use crate::support::program::Answer;
use std::process::Command;
use std::time::{Duration, Instant};

const SAMPLE: &str = "steps = 10\ncount = 96\npart = 16\nbatch = 8";

/// The processes that `parent` started and that live.
fn children(parent: u32) -> Vec<u32> {
    let listed = Command::new("ps")
        .args(["-o", "pid=,stat=", "--ppid", &parent.to_string()])
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let living = text.lines().filter(|line| !line.contains('Z'));
    living
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect()
}

fn kill(pid: u32) {
    let sent = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_killed_workers_part_is_taken_over_at_once() {
    let study = Study::new(SAMPLE, "guidance.scale = [5]");
    study.call("whole", &["work", "shared.toml"]).succeeds();
    let mut worker = study.start("killed", &["work", "shared.toml", "--json"]);
    wait_for("part", || !study.parts("killed", "sample").is_empty());
    std::thread::sleep(Duration::from_millis(100));
    kill(worker.id());
    worker.wait().unwrap();
    let leases = study.leftovers("killed");
    assert!(
        leases.iter().any(|name| name.ends_with(".lease")),
        "{leases:?}"
    );
    let started = Instant::now();
    study.call("killed", &["work", "shared.toml"]).succeeds();
    assert!(
        started.elapsed() < Duration::from_secs(80),
        "nothing was waited for"
    );
    assert!(study.parts("killed", "sample") == study.parts("whole", "sample"));
    assert_eq!(study.leftovers("killed"), Vec::<String>::new());
}

#[test]
fn a_worker_of_a_sweep_that_dies_is_told_and_replaced() {
    let study = Study::new(SAMPLE, "guidance.scale = [0, 5]");
    study.call("alone", &["sweep", "shared.toml"]).succeeds();
    let table = study.table();
    std::fs::remove_dir_all(study.path("reports")).unwrap();
    let sweep = study.start("killed", &["sweep", "shared.toml", "--device", "cpu:2"]);
    wait_for("part", || !study.parts("killed", "sample").is_empty());
    let workers = children(sweep.id());
    assert_eq!(workers.len(), 2, "{workers:?}");
    kill(workers[0]);
    let answer = Answer::of(sweep.wait_with_output().unwrap());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let told = &answer.stderr;
    assert!(told.contains("died (by signal 9"), "{told}");
    assert_eq!(study.table(), table);
}

#[test]
fn the_workers_of_a_killed_sweep_end_too() {
    let study = Study::new(SAMPLE, "guidance.scale = [5]");
    let mut sweep = study.start("orphans", &["sweep", "shared.toml", "--device", "cpu:2"]);
    wait_for("part", || !study.parts("orphans", "sample").is_empty());
    let workers = children(sweep.id());
    kill(sweep.id());
    sweep.wait().unwrap();
    wait_for("end of the workers", || {
        let alive = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/stat"));
        let alive = |pid: &u32| alive(pid).is_ok_and(|stat| !stat.contains(") Z"));
        !workers.iter().any(alive)
    });
}
