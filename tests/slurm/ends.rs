//! How a sweep by Slurm ends: with the table of a sweep on this machine, or with the error of a job.

use crate::cluster::{Asked, Cluster};
use crate::study::Study;

#[test]
fn four_workers_make_the_table_that_one_machine_makes() {
    let Some(cluster) = Cluster::up(&Asked::default()) else {
        return;
    };
    let study = Study::new(&cluster, 4, "time = 10\ncpus = 1\nworkers = 4");
    let table = study.local_table();
    let answer = study.sweep(&[]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(study.table(), table);
    let said = &answer.stderr;
    assert!(
        said.contains("submitted array 1 (4 workers, sample+features+metrics)"),
        "{said}"
    );
    assert!(answer.stdout.contains("FD (shapes)"), "{}", answer.stdout);
    let again = study.sweep(&[]);
    assert!(
        again.stderr.contains("all 6 jobs are stored"),
        "{}",
        again.stderr
    );
    assert_eq!(study.submissions().len(), 1);
}

#[test]
fn stages_that_ask_for_something_else_have_workers_of_their_own() {
    let asked = Asked {
        gpus: 1,
        max_array: 5,
        ..Asked::default()
    };
    let Some(cluster) = Cluster::up(&asked) else {
        return;
    };
    let slurm = "time = \"0:10:00\"\ncpus = 1\n[slurm.stage.features]\ngpus = 1\nenv = [\"A=b c\"]\nsetup = [\"echo $CUDA_VISIBLE_DEVICES\"]\n[slurm.stage.metrics]\nworkers = 1";
    let study = Study::new(&cluster, 4, slurm);
    let answer = study.sweep(&["--only", "guidance.scale=0", "--set", "sample.part=4"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let said = &answer.stderr;
    // Six parts, and five tasks an array are allowed.
    for part in [
        "submitted array 1 (5 workers, sample)",
        "(1 worker, sample)",
        "(5 workers, features)",
        "(1 worker, features)",
        "(1 worker, metrics)",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn a_job_that_fails_is_told_with_its_error_and_not_tried_for_ever() {
    let Some(cluster) = Cluster::up(&Asked::default()) else {
        return;
    };
    let text = "name = \"small\"\n[sample]\ncommand = [\"sh\", \"-c\", \"echo the disk is on fire >&2; exit 3\", \"{out}\"]\ncount = 4\n[grid]\nvars.a = [1, 2]\n[vars]\na = 1\n[slurm]\ntime = 10\nworkers = 1\n";
    let text = text.replace("\"{out}\"", "\"{out}\", \"{vars.a}\"");
    let study = Study::of(&cluster, &text);
    let answer = study.sweep(&[]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let said = &answer.stderr;
    assert!(said.matches("the disk is on fire").count() >= 2, "{said}");
    assert!(
        said.contains("2 jobs failed; see `runner status small.toml 0`"),
        "{said}"
    );
    assert_eq!(study.submissions().len(), 1, "{said}");
}
