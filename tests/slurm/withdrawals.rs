//! Workers that have not started when nothing is left for them.

use crate::cluster::{Asked, Cluster, wait};
use crate::study::Study;
use std::time::Duration;

#[test]
fn pending_workers_of_stages_that_are_whole_are_withdrawn_and_are_no_losses() {
    let Some(cluster) = Cluster::up(&Asked::default()) else {
        return;
    };
    // No node has so many cores: the workers of the samples never start.
    let slurm = "time = 10\ncpus = 1\nworkers = 1\n[slurm.stage.sample]\ncpus = 64\nworkers = 2\n[slurm.stage.metrics]\ncpus = 2";
    let study = Study::new(&cluster, 4, slurm);
    let mut driver = study.start();
    let sent = "submitted array 1 (2 workers, sample)";
    wait(Duration::from_secs(30), "the array", || {
        driver.said().contains(sent)
    });
    let drawn = study.alone(&["--until", "sample"]);
    assert_eq!(drawn.code, Some(0), "{}", drawn.stderr);
    driver.succeeds();
    let said = driver.said();
    let withdrawn = "withdrew 2 pending workers of array 1: nothing is left for them to do";
    assert!(said.contains(withdrawn), "{said}");
    assert!(said.contains("(1 worker, features)"), "{said}");
    assert!(!said.contains("worker 1_"), "no losses: {said}");
    assert!(!study.table().is_empty());
}
