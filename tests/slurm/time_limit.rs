//! A worker that runs into its time limit.

use crate::cluster::{Asked, Cluster, wait};
use crate::study::Study;
use std::time::Duration;

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
    // SAFETY: a signal to the worker of this test's own cluster. It hangs, and hears of no signal.
    unsafe { libc::kill(workers[0], libc::SIGSTOP) };
    let over = "worker 1_0 on n1 ended: its time was over";
    wait(Duration::from_secs(110), "the end of its time", || {
        driver.said().contains(over)
    });
    driver.succeeds();
    let said = driver.said();
    assert!(said.contains("submitted array 2 (1 worker"), "{said}");
    assert_eq!(study.table(), table);
}
