//! What is asked for and cannot be had, and what is missing.

use crate::cluster::{Asked, Cluster, wait};
use crate::study::Study;
use crate::support::program::Runner;
use std::time::Duration;

#[test]
fn what_no_node_can_give_is_told_after_a_minute_and_ended_by_cancel() {
    let Some(cluster) = Cluster::up(&Asked::default()) else {
        return;
    };
    let study = Study::new(&cluster, 4, "time = 10\ncpus = 64\nworkers = 2");
    let mut driver = study.start();
    let told = "2 workers pending for a minute now by Slurm's word PartitionConfig";
    wait(Duration::from_secs(90), "the reason", || {
        driver.said().contains(told)
    });
    let cancelled = study.sweep(&["--cancel"]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.stderr);
    wait(Duration::from_secs(40), "the driver's end", || {
        driver.said().contains("ended by --cancel")
    });
    driver.kill();
    assert!(cluster.tasks().is_empty());
}

#[test]
fn what_slurm_refuses_is_told_in_its_words() {
    let Some(cluster) = Cluster::up(&Asked::default()) else {
        return;
    };
    let study = Study::new(&cluster, 4, "time = 10\npartition = \"nope\"");
    let answer = study.sweep(&[]);
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    let said = answer.stderr;
    assert!(
        said.contains("sbatch refused a worker of sample, features, metrics"),
        "{said}"
    );
    assert!(said.contains("invalid partition specified: nope"), "{said}");
    assert!(said.contains("hint: "), "{said}");
}

#[test]
fn without_a_time_limit_or_without_slurm_nothing_begins() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = \"a\"\n[sample]\ncommand = [\"true\", \"{out}\"]\ncount = 4\n";
    let file = folder.path().join("a.toml");
    std::fs::write(&file, text).unwrap();
    let call = |extra: &[&str]| {
        let runner = Runner::new().at(folder.path()).env("PATH", "/nowhere");
        let runner = runner.env("XDG_CONFIG_HOME", folder.path().join("config"));
        runner.args(["sweep", "a.toml", "--slurm"]).args(extra)
    };
    call(&[]).refuses().says("slurm.time is missing");
    call(&["--set", "slurm.time=4:00:00"])
        .refuses()
        .says("Slurm's `sbatch` cannot be run here")
        .says("hint: start the sweep on a login node");
    call(&[
        "--set",
        "slurm.time=4:00:00",
        "--set",
        "slurm.env=[\"NOT_SET_X\"]",
    ])
    .refuses()
    .says("slurm.env names NOT_SET_X, which is not set here");
    std::fs::create_dir_all(folder.path().join("config/runner")).unwrap();
    let own = folder.path().join("config/runner/slurm.toml");
    std::fs::write(&own, "time = \"4:00:00\"\nextra = [\"--arr=1\"]\n").unwrap();
    call(&[])
        .refuses()
        .says("slurm.toml: extra has \"--arr=1\", which is not for a file to set");
    std::fs::write(&own, "time = \"4:00:00\"\n").unwrap();
    call(&[])
        .refuses()
        .says("Slurm's `sbatch` cannot be run here");
    assert!(!folder.path().join(".runner/slurm").exists());
}
