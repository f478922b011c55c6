//! A worker that runs into its time limit.

use crate::cluster::{Asked, Cluster, wait};
use crate::study::Study;
use std::path::Path;
use std::time::Duration;

/// Stops a worker, again and again: Slurm wakes whom it sends a signal. One that is gone is left alone.
fn hang(worker: i32, study: &Path) {
    let words = std::fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&words).contains(&study.display().to_string()) {
        // SAFETY: a signal to the worker of this test's own cluster.
        unsafe { libc::kill(worker, libc::SIGSTOP) };
    }
}

#[test]
fn a_worker_that_hangs_until_its_time_is_over_is_replaced() {
    let asked = Asked {
        // So that the driver looks often.
        memory: 20,
        ..Asked::default()
    };
    let Some(cluster) = Cluster::up(&asked) else {
        return;
    };
    // The shortest limit that Slurm has. It looks every half minute whose time is over.
    let study = Study::new(
        &cluster,
        40,
        "time = 1\ncpus = 1\nworkers = 1\nsignal_before = 1",
    );
    let table = study.local_table();
    let mut driver = study.start();
    wait(Duration::from_secs(40), "a part", || study.parts() > 0);
    let workers = study.workers();
    assert_eq!(workers.len(), 1, "{workers:?}");
    let over = "worker 1_0 on n1 ended: its time was over";
    wait(Duration::from_secs(120), "the end of its time", || {
        hang(workers[0], &cluster.path("study"));
        driver.said().contains(over)
    });
    driver.succeeds();
    let said = driver.said();
    assert!(said.contains("submitted array 2 (1 worker"), "{said}");
    assert_eq!(study.table(), table);
}
