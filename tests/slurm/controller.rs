//! The driver that is killed, left or doubled, and the controller that goes away and forgets.

use crate::cluster::{Asked, Cluster, wait};
use crate::study::Study;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
const SLURM: &str = "time = 10\ncpus = 1\nworkers = 2";

fn cluster() -> Option<Cluster> {
    Cluster::up(&Asked::default())
}

#[test]
fn a_driver_that_is_killed_doubles_nothing_when_it_is_started_again() {
    let Some(cluster) = cluster() else { return };
    let study = Study::new(&cluster, 60, SLURM);
    let mut first = study.start();
    wait(SOON, "a part", || study.parts() > 0);
    first.kill();
    let mut second = study.start();
    wait(SOON, "the second driver", || {
        second.said().contains("joined array 1 (2 workers")
    });
    second.succeeds();
    assert_eq!(study.submissions().len(), 1, "{}", second.said());
}

#[test]
fn what_was_sent_by_a_driver_that_died_before_it_knew_is_found_by_its_tag() {
    let Some(cluster) = cluster() else { return };
    let study = Study::new(&cluster, 60, SLURM);
    let mut first = study.start();
    wait(SOON, "a part", || study.parts() > 0);
    first.kill();
    let record = &study.submissions()[0];
    let text = std::fs::read_to_string(record).unwrap();
    let unknown = text.replace("\"id\": 1,", "\"id\": null,");
    assert_ne!(text, unknown);
    std::fs::write(record, unknown).unwrap();
    let mut second = study.start();
    second.succeeds();
    let said = second.said();
    assert!(said.contains("joined array 1 (2 workers"), "{said}");
    assert!(!said.contains("submitted"), "{said}");
}

#[test]
fn a_second_driver_waits_and_one_that_is_left_says_how_to_come_back() {
    let Some(cluster) = cluster() else { return };
    let study = Study::new(&cluster, 100, SLURM);
    let mut first = study.start();
    wait(SOON, "a part", || study.parts() > 0);
    let mut second = study.start();
    wait(SOON, "the second driver", || {
        second.said().contains("another process (process ")
    });
    second.kill();
    drop(second);
    assert_eq!(first.interrupt(), Some(130));
    assert!(!cluster.tasks().is_empty(), "the workers go on");
    let cancelled = study.sweep(&["--cancel"]);
    assert_eq!(cancelled.code, Some(0));
    let said = &cancelled.stderr;
    assert!(
        said.contains("cancelled 1 array of workers; what is stored stays"),
        "{said}"
    );
    wait(SOON, "the workers' end", || cluster.tasks().is_empty());
    assert!(study.parts() > 0);
    let none = study.sweep(&["--cancel"]).stderr;
    assert!(
        none.contains("no workers of this sweep are known"),
        "{none}"
    );
}

#[test]
fn a_controller_that_is_away_for_a_while_is_waited_for() {
    let Some(mut cluster) = cluster() else { return };
    let mut driver = {
        let study = Study::new(&cluster, 60, SLURM);
        let driver = study.start();
        wait(SOON, "a part", || study.parts() > 0);
        driver
    };
    cluster.stop_controller();
    wait(SOON, "the driver", || {
        driver.said().contains("Slurm does not answer")
    });
    cluster.start_controller();
    driver.succeeds();
    let study = Study { cluster: &cluster };
    assert_eq!(study.submissions().len(), 1, "{}", driver.said());
}

#[test]
fn workers_that_slurm_has_forgotten_are_no_reason_to_do_anything_again() {
    let asked = Asked {
        memory: 2,
        ..Asked::default()
    };
    let Some(cluster) = Cluster::up(&asked) else {
        return;
    };
    let study = Study::new(
        &cluster,
        4,
        "time = 10\ncpus = 1\nworkers = 2\n[slurm.stage.features]\nmem = \"200M\"\n[slurm.stage.metrics]\nmem = \"300M\"",
    );
    let answer = study.sweep(&[]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(study.submissions().len() <= 5, "{}", answer.stderr);
}
