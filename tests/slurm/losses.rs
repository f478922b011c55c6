//! Workers that are lost, each in its way, and replaced.

use crate::cluster::{Asked, Cluster, wait};
use crate::study::Study;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(40);

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_running_and_a_pending_worker_that_somebody_cancels_are_replaced() {
    let asked = Asked {
        cpus: 1,
        ..Asked::default()
    };
    let Some(cluster) = Cluster::up(&asked) else {
        return;
    };
    let study = Study::new(&cluster, 60, "time = 10\ncpus = 1\nworkers = 2");
    let mut driver = study.start();
    wait(SOON, "a part", || study.parts() > 0);
    cluster.slurm("scancel", &["1_1"]);
    cluster.slurm("scancel", &["1_0"]);
    driver.succeeds();
    let said = driver.said();
    assert!(said.contains("worker 1_0 on n1 ended: "), "{said}");
    assert!(said.contains("worker 1_1 ended: "), "{said}");
    assert!(count(&said, "submitted array") >= 2, "{said}");
}

#[test]
fn a_worker_that_is_preempted_is_replaced() {
    let asked = Asked {
        cpus: 2,
        lines: "PreemptType=preempt/partition_prio\nPreemptMode=REQUEUE\nPartitionName=urgent Nodes=ALL PriorityTier=9 MaxTime=INFINITE State=UP",
        ..Asked::default()
    };
    let Some(cluster) = Cluster::up(&asked) else {
        return;
    };
    let study = Study::new(
        &cluster,
        100,
        "time = 10\ncpus = 1\nworkers = 2\npartition = \"main\"",
    );
    let mut driver = study.start();
    wait(SOON, "a part", || study.parts() > 0);
    let urgent = [
        "-p",
        "urgent",
        "-c",
        "2",
        "-o",
        "/dev/null",
        "--wrap",
        "sleep 1",
    ];
    assert!(!cluster.slurm("sbatch", &urgent).is_empty());
    driver.succeeds();
    let said = driver.said();
    assert!(said.contains("ended: it was preempted"), "{said}");
    assert!(said.contains("(2 workers, partition main, "), "{said}");
}

#[test]
fn a_node_that_fails_is_kept_away_from() {
    let asked = Asked {
        cpus: 1,
        nodes: 2,
        ..Asked::default()
    };
    let Some(mut cluster) = Cluster::up(&asked) else {
        return;
    };
    // With one worker nothing gets on until Slurm has noticed, which takes it half a minute.
    let mut driver = {
        let study = Study::new(&cluster, 60, "time = 10\ncpus = 1\nworkers = 1");
        let driver = study.start();
        wait(SOON, "a part", || study.parts() > 0);
        driver
    };
    let node = cluster.slurm("squeue", &["-h", "-o", "%N"]);
    let node = node.trim();
    cluster.kill_node(if node == "n1" { 1 } else { 2 });
    // slurmd's jobs outlive it, and here their machine too: what a node takes with it is taken by hand.
    kill_worker(&Study { cluster: &cluster });
    driver.succeeds();
    let said = driver.said();
    assert!(said.contains(&format!("its node {node} failed")), "{said}");
    let study = Study { cluster: &cluster };
    let records = study.submissions().into_iter();
    let texts: Vec<String> = records
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let away = |text: &&String| text.contains(&format!("\"{node}\""));
    assert_eq!(
        (texts.len(), texts.iter().filter(away).count()),
        (2, 1),
        "{texts:?}"
    );
}

/// Kills the one worker of Slurm's jobs.
fn kill_worker(study: &Study) {
    let pids = study.workers();
    assert_eq!(pids.len(), 1, "{pids:?}");
    let pid = pids[0].to_string();
    // What watches the worker for Slurm goes first, so that nobody tells how it ended.
    let parent = std::process::Command::new("ps")
        .args(["-o", "ppid=", "-p", &pid])
        .output()
        .unwrap();
    let parent = String::from_utf8(parent.stdout).unwrap().trim().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &parent, &pid])
        .status();
    assert!(killed.unwrap().success());
}

#[test]
fn a_worker_that_is_asked_to_stop_keeps_its_images_and_another_goes_on() {
    let Some(cluster) = Cluster::up(&Asked::default()) else {
        return;
    };
    let study = Study::new(&cluster, 60, "time = 10\ncpus = 1\nworkers = 1");
    let mut driver = study.start();
    wait(SOON, "a part", || study.parts() > 0);
    // What Slurm itself does `signal_before` the end of the time.
    cluster.slurm("scancel", &["--batch", "--signal=TERM", "1_0"]);
    driver.succeeds();
    let said = driver.said();
    let told = "ended: it was asked to stop, for its time was nearly over";
    assert!(said.contains(told), "{said}");
    assert!(said.contains("submitted array 2 (1 worker"), "{said}");
}
