//! `[slurm]`: of the file, of the user, of a stage; and what it refuses.

use fidrunner::experiment::check::slurm::read;
use fidrunner::experiment::file::slurm::Slurm;
use fidrunner::experiment::grid::sweep::{Sweep, sweep};
use fidrunner::jobs::of_cell::jobs_of;

const STUDY: &str = "name = \"a\"\n[sample]\ncommand = [\"true\", \"{out}\"]\ncount = 4\n";

fn study(table: &str, set: &[&str]) -> anyhow::Result<Sweep> {
    let set: Vec<String> = set.iter().map(|value| value.to_string()).collect();
    sweep(&format!("{STUDY}{table}"), &set, &[])
}

fn slurm(table: &str, set: &[&str]) -> Slurm {
    study(table, set).unwrap().slurm
}

#[test]
fn a_stage_has_the_keys_of_the_table_but_for_its_own() {
    let asked = slurm(
        "[slurm]\ntime = \"4:00:00\"\ngpus = 1\nworkers = 16\n[slurm.stage.metrics]\ngpus = 0\nworkers = 2\n[slurm.stage.train]\ngres = \"gpu:a100:4\"\n",
        &[],
    );
    let metrics = asked.of_stage("metrics");
    assert_eq!((metrics.gpus, metrics.workers), (Some(0), Some(2)));
    assert_eq!(metrics.time.as_deref(), Some("4:00:00"));
    // Which GPUs is said in one of two keys.
    let train = asked.of_stage("train");
    assert_eq!(
        (train.gpus, train.gres.as_deref()),
        (None, Some("gpu:a100:4"))
    );
    assert_eq!(asked.of_stage("sample"), asked.of_stage("features"));
}

#[test]
fn the_file_wins_over_the_users_own_key_by_key() {
    let own = read("time = \"1-0\"\naccount = \"lab\"\nsetup = [\"module load a\"]\n[stage.metrics]\npartition = \"cpu\"\nmem = \"4G\"\n").unwrap();
    let file = slurm("[slurm]\ntime = 30\nstage.metrics.mem = \"8G\"\n", &[]);
    let asked = file.over(&own);
    assert_eq!(
        (asked.time.as_deref(), asked.account.as_deref()),
        (Some("30"), Some("lab"))
    );
    let metrics = asked.of_stage("metrics");
    assert_eq!(
        (metrics.mem.as_deref(), metrics.partition.as_deref()),
        (Some("8G"), Some("cpu"))
    );
    assert_eq!(metrics.setup.unwrap(), ["module load a"]);
}

#[test]
fn it_is_set_on_the_command_line_and_changes_no_key_and_no_report() {
    for (text, time) in [
        ("4:00:00", "4:00:00"),
        ("02:00:00", "02:00:00"),
        ("90", "90"),
    ] {
        let asked = slurm("", &[&format!("slurm.time={text}")]);
        assert_eq!(asked.time.as_deref(), Some(time));
    }
    let bare = study("", &[]).unwrap();
    let asked = study("[slurm]\ntime = 10\nenv = [\"A={x}\"]\n", &["slurm.cpus=4"]).unwrap();
    let keys = |sweep: &Sweep| -> Vec<_> {
        let jobs = jobs_of(&sweep.cells[0]).unwrap();
        jobs.iter().map(|job| job.key().unwrap()).collect()
    };
    assert_eq!(keys(&bare), keys(&asked));
    assert_eq!(bare.resolved, asked.resolved);
    assert_eq!(asked.slurm.env.unwrap(), ["A={x}"]);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_key() {
    for (table, part) in [
        (
            "time = \"4h\"",
            "slurm.time = \"4h\" is no time that sbatch takes",
        ),
        ("time = 0", "slurm.time = \"0\" is no time"),
        ("cpus = 0", "slurm.cpus = 0 is below 1"),
        ("workers = 0", "slurm.workers = 0 is below 1"),
        (
            "mem = \"16 GB\"",
            "slurm.mem = \"16 GB\" is no amount of memory",
        ),
        (
            "gpus = 1\ngres = \"gpu:1\"",
            "slurm.gpus and slurm.gres both say",
        ),
        (
            "signal_before = 0",
            "slurm.signal_before = 0 is outside 1..=65535 seconds",
        ),
        ("env = [\"A B=1\"]", "is neither NAME nor NAME=VALUE"),
        (
            "extra = [\"--array=1-9\"]",
            "hint: the sweep sets it; say how many with `workers`",
        ),
        (
            "extra = [\"--dep=1\"]",
            "\"--dep=1\", which is not for a file to set",
        ),
        (
            "extra = [\"-Jx\"]",
            "\"-Jx\", which is not for a file to set",
        ),
        ("extra = [\"n1\"]", "\"n1\", which is no option of sbatch"),
        (
            "stage.train.resubmits = 3",
            "slurm.stage.train.resubmits: lost workers",
        ),
        (
            "stage.train.cpus = 0",
            "slurm.stage.train.cpus = 0 is below 1",
        ),
        ("stage.trian.cpus = 1", "did you mean `train`?"),
        ("partion = \"gpu\"", "did you mean `partition`?"),
    ] {
        let error = study(&format!("[slurm]\n{table}\n"), &[]).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(part), "{part}\n{error}");
    }
    let allowed = slurm(
        "[slurm]\nextra = [\"--exclude=n1\", \"--nodelist=n2\", \"--exclusive\"]\n",
        &[],
    );
    assert_eq!(allowed.extra.unwrap().len(), 3);
}
