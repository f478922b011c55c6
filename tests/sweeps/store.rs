//! The store and the scheduler, with jobs that draw no picture: killed in the middle, run again, same bytes.

use crate::cells::drawn;
use crate::support::process::{alone, is_alone};
use anyhow::{Result, bail};
use fidrunner::experiment::grid::sweep::{Sweep, sweep};
use fidrunner::experiment::scoring::metric::Metric;
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::jobs::context::{JobContext, Progress};
use fidrunner::jobs::files::parts;
use fidrunner::jobs::job::Job;
use fidrunner::jobs::sharing::filling::{Parts, fill};
use fidrunner::jobs::stage::Stage;
use fidrunner::run::device::slots::slots;
use fidrunner::run::local::{Event, Options, Summary, run};
use fidrunner::run::plan::Plan;
use fidrunner::run::store::{State, Store};
use fidrunner::run::why::reasons;
use fidrunner::run::work::turns::Duty;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A folder with an experiment of `scales` cells whose files all exist.
fn experiment(folder: &Path, scales: &str, count: usize) -> Sweep {
    for name in ["net", "guide", "features", "reference"] {
        std::fs::write(folder.join(name), name).unwrap();
    }
    let at = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "name = \"fake\"\n\
         [model]\npreset = \"imagenet64\"\ncheckpoint = \"{}\"\n\
         [guidance]\ncheckpoint = \"{}\"\nscale = 0\n\
         [sample]\nsteps = 2\ncount = {count}\npart = 10\n\
         [eval]\nfeatures = \"shapes\"\nweights = \"{}\"\nreference = \"{}\"\nmetrics = [\"fd\"]\n\
         [grid]\nguidance.scale = {scales}\n",
        at("net"),
        at("guide"),
        at("features"),
        at("reference"),
    );
    sweep(&text, &[], &[]).unwrap()
}

/// Writes parts of ten images and, for the metrics, scores; `pause` a part.
fn fake(job: &Job, context: &JobContext, pause: Duration, made: &AtomicUsize) -> Result<()> {
    let Some(count) = job.wanted().count else {
        made.fetch_add(1, Ordering::SeqCst);
        let scores = r#"[{"metric":"fd","value":1.5,"low":1.0,"high":2.0,"count":10}]"#;
        return Ok(std::fs::write(context.out.join("scores.json"), scores)?);
    };
    for need in job.needs() {
        assert!(context.input(&need).join("manifest.json").exists());
    }
    let wanted = Parts {
        kind: "images",
        count: count as u64,
        size: 10,
    };
    fill(context, wanted, &mut |range, _| {
        std::thread::sleep(pause);
        let path = parts::path(&context.out, "images", range);
        let text = format!("{} of {}", range.start, job.key()?.full()).into_bytes();
        npz::write(&path, &[("text", Array::u8(&[text.len()], text))])?;
        made.fetch_add(1, Ordering::SeqCst);
        context.tell(Progress {
            done: range.end,
            total: count as u64,
            unit: "images",
            note: String::new(),
        });
        Ok(())
    })
}

struct Ran {
    summary: Result<Summary>,
    made: usize,
}

fn go(sweep: &Sweep, root: &Path) -> Ran {
    go_with(sweep, root, Duration::ZERO, false, &|_| Ok(()))
}

fn go_with(
    sweep: &Sweep,
    root: &Path,
    pause: Duration,
    fail_fast: bool,
    before: &(dyn Fn(&Job) -> Result<()> + Sync),
) -> Ran {
    let store = Store::new(root);
    let plan = Plan::of(sweep, &store, None).unwrap();
    let made = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let options = Options {
        fail_fast,
        stop: &stop,
        run: &|job, context| before(job).and_then(|()| fake(job, context, pause, &made)),
        duty: Duty::default(),
        scheduler: None,
    };
    let summary = run(
        &plan,
        &store,
        &slots(Some("cpu"), plan.items.iter().map(|item| &item.job)).unwrap(),
        &options,
        &|_: Event| {},
    );
    Ran {
        summary,
        made: made.into_inner(),
    }
}

fn states(sweep: &Sweep, root: &Path) -> Vec<State> {
    let plan = Plan::of(sweep, &Store::new(root), None).unwrap();
    plan.items.into_iter().map(|item| item.state).collect()
}

/// Every result in a store: path → bytes, without what tells of a run.
fn results(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in Store::new(root).entries().unwrap() {
        for name in entry.manifest().expect("every entry is done").files.keys() {
            let path = entry.folder.join(name);
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path.strip_prefix(root).unwrap().to_path_buf(), bytes);
        }
    }
    found
}

/// Names the folder of its experiment to the child process that is to be killed.
const VICTIM: &str = "RUNNER_TEST_VICTIM";

#[test]
fn killed_in_the_middle_the_next_run_ends_with_the_same_bytes() {
    let name = "killed_in_the_middle_the_next_run_ends_with_the_same_bytes";
    if is_alone(name) {
        let folder = PathBuf::from(std::env::var_os(VICTIM).expect("a folder"));
        let sweep = experiment(&folder, "[0, 1]", 100);
        let root = folder.join("killed");
        go_with(&sweep, &root, Duration::from_millis(40), false, &|_| Ok(()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[0, 1]", 100);
    let mut child = alone(module_path!(), name)
        .env(VICTIM, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (killed, whole) = (folder.path().join("killed"), folder.path().join("whole"));
    let parts = || {
        let all = walkdir::WalkDir::new(&killed).into_iter().flatten();
        all.filter(|e| e.path().extension().is_some_and(|x| x == "npz"))
            .count()
    };
    let started = Instant::now();
    while parts() < 3 && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Between two parts nobody holds one.
    while !matches!(states(&sweep, &killed)[0], State::Running(..)) {
        assert!(started.elapsed() < Duration::from_secs(30), "nobody works");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = parts();
    assert!((3..10).contains(&before), "{before} parts before the kill");
    assert!(matches!(states(&sweep, &killed)[0], State::Partial(_)));

    let again = go(&sweep, &killed);
    let summary = again.summary.unwrap();
    assert!(summary.failed.is_empty() && summary.left.is_empty());
    let from_scratch = go(&sweep, &whole);
    assert_eq!(again.made + before, from_scratch.made);
    assert_eq!(results(&killed), results(&whole));
    assert!(!results(&whole).is_empty());
}

#[test]
fn a_second_run_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[0, 1, 2]", 20);
    let root = folder.path().join("store");
    assert_eq!(go(&sweep, &root).made, 3 * (2 + 2 + 1));
    let again = go(&sweep, &root);
    assert_eq!(
        (again.made, again.summary.unwrap()),
        (0, Summary::default())
    );
}

#[test]
fn a_raised_count_makes_only_what_is_missing_and_a_lower_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    assert_eq!(
        go(&experiment(folder.path(), "[1]", 30), &root).made,
        3 + 3 + 1
    );
    assert_eq!(
        go(&experiment(folder.path(), "[1]", 50), &root).made,
        2 + 2 + 1
    );
    assert_eq!(go(&experiment(folder.path(), "[1]", 20), &root).made, 1);
    assert_eq!(go(&experiment(folder.path(), "[1]", 50), &root).made, 0);
}

#[test]
fn scale_zero_shares_the_unguided_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |scales: &str| -> Vec<String> {
        let sweep = experiment(folder.path(), scales, 10);
        let plan = Plan::of(&sweep, &Store::new(folder.path()), Some(Stage::Sample)).unwrap();
        plan.items
            .iter()
            .map(|item| item.key.full().to_string())
            .collect()
    };
    let zero = keys("[0]");
    assert_eq!(zero, keys("[0.0]"));
    assert_ne!(zero, keys("[1]"));
    assert_eq!(keys("[0, 1, 4]").len(), 3);
    let mut unguided = experiment(folder.path(), "[0]", 10);
    Arc::make_mut(&mut unguided.cells)[0].spec.guidance = None;
    drawn(&mut unguided).batch = 3;
    let plan = Plan::of(&unguided, &Store::new(folder.path()), None).unwrap();
    assert_eq!(plan.items[0].key.full(), zero[0]);
}

#[test]
fn a_failed_job_fails_its_own_cell_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[0, 1, 2]", 10);
    let root = folder.path().join("store");
    let break_second = |job: &Job| match job {
        Job::Sample(job) if job.guidance.as_ref().is_some_and(|g| g.scale == 1.0) => {
            bail!("out of memory\nhint: set `sample.batch = 1`")
        }
        _ => Ok(()),
    };
    let ran = go_with(&sweep, &root, Duration::ZERO, false, &break_second);
    let summary = ran.summary.unwrap();
    assert_eq!(
        (summary.done, summary.failed, summary.left),
        (6, vec![3], vec![4, 5])
    );
    let State::Failed(failure) = &states(&sweep, &root)[3] else {
        panic!("the failure should be kept")
    };
    assert!(failure.error.starts_with("out of memory"));

    let other = folder.path().join("other");
    let ran = go_with(&sweep, &other, Duration::ZERO, true, &break_second);
    let summary = ran.summary.unwrap();
    assert_eq!(
        (summary.done, summary.failed.len(), summary.left.len()),
        (3, 1, 5)
    );

    assert_eq!(go(&sweep, &root).made, 3);
    assert!(states(&sweep, &root).iter().all(State::stored));
}

#[test]
fn a_panic_fails_its_job_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[0, 1]", 10);
    let root = folder.path().join("store");
    let ran = go_with(&sweep, &root, Duration::ZERO, false, &|job| match job {
        Job::Sample(sample) if sample.guidance.is_none() => panic!("deliberate"),
        _ => Ok(()),
    });
    let summary = ran.summary.unwrap();
    assert_eq!((summary.done, summary.failed), (3, vec![0]));
}

#[test]
fn two_sweeps_of_one_store_make_each_result_once() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[0, 1]", 30);
    let root = folder.path().join("store");
    let pause = Duration::from_millis(10);
    let made: usize = std::thread::scope(|scope| {
        let one = || go_with(&sweep, &root, pause, false, &|_| Ok(()));
        let both = [scope.spawn(one), scope.spawn(one)];
        both.map(|thread| {
            let ran = thread.join().unwrap();
            assert!(ran.summary.unwrap().failed.is_empty());
            ran.made
        })
        .iter()
        .sum()
    });
    assert_eq!(made, 2 * (3 + 3 + 1));
}

#[test]
fn a_lost_or_cut_file_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[1]", 30);
    let root = folder.path().join("store");
    go(&sweep, &root);
    let whole = results(&root);
    let lost = whole
        .keys()
        .find(|path| path.starts_with("sample"))
        .unwrap();
    std::fs::remove_file(root.join(lost)).unwrap();
    assert_eq!(go(&sweep, &root).made, 1);
    assert_eq!(results(&root), whole);
}

#[test]
fn a_full_disk_ends_the_sweep_with_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[0, 1, 2]", 10);
    let root = folder.path().join("store");
    let tried = AtomicUsize::new(0);
    let ran = go_with(&sweep, &root, Duration::ZERO, false, &|_| {
        tried.fetch_add(1, Ordering::SeqCst);
        Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into())
    });
    let error = format!("{:#}", ran.summary.unwrap_err());
    let expected = format!(
        "the store `{}` cannot be written; what is made so far is kept: no storage space",
        root.display()
    );
    assert_eq!(error, expected);
    assert_eq!(tried.into_inner(), 1);
}

#[test]
fn a_store_that_cannot_be_written_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[0]", 10);
    let ran = go(&sweep, &folder.path().join("net"));
    let error = format!("{:#}", ran.summary.unwrap_err());
    assert!(error.contains("net` cannot be written"), "{error}");
    assert_eq!(ran.made, 0);
}

#[test]
fn a_changed_checkpoint_makes_its_results_again_and_the_plan_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = experiment(folder.path(), "[1]", 10);
    let root = folder.path().join("store");
    go(&sweep, &root);
    std::fs::write(folder.path().join("net"), "other weights").unwrap();
    let store = Store::new(&root);
    let plan = Plan::of(&sweep, &store, None).unwrap();
    let why = reasons(&plan, &store).unwrap();
    let net = folder.path().join("net");
    assert_eq!(why[0], format!("{} has other contents", net.display()));
    assert_eq!(why[1], "follows sample");
    assert_eq!(go(&sweep, &root).made, 3);
}

#[test]
fn the_plan_names_the_value_that_moved() {
    let folder = tempfile::tempdir().unwrap();
    let mut sweep = experiment(folder.path(), "[1]", 10);
    let root = folder.path().join("store");
    go(&sweep, &root);
    let why = |sweep: &Sweep| {
        let store = Store::new(&root);
        reasons(&Plan::of(sweep, &store, None).unwrap(), &store).unwrap()
    };
    assert_eq!(why(&sweep), ["", "", ""]);
    let eval = Arc::make_mut(&mut sweep.cells)[0].spec.eval.as_mut();
    let scores = eval.and_then(|eval| eval.scores.as_mut());
    scores.unwrap().metrics.push(Metric::Is);
    assert_eq!(why(&sweep), ["", "", "eval.metrics: + is"]);
    drawn(&mut sweep).seed = 7;
    assert_eq!(why(&sweep)[0], "sample.seed: 0 -> 7");
}

#[test]
fn a_stored_job_is_an_experiment_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let whole = experiment(folder.path(), "[0, 2]", 10);
    let root = folder.path().join("store");
    go(&whole, &root);
    for entry in Store::new(&root).entries().unwrap() {
        let text = entry.job().unwrap();
        let alone = sweep(&text, &[], &[]).unwrap();
        assert_eq!(alone.cells.len(), 1);
        assert_eq!(go(&alone, &root).made, 0);
        let plan = Plan::of(&alone, &Store::new(&root), None).unwrap();
        let mut keys = plan.items.iter().map(|item| item.key.short());
        assert!(keys.any(|key| key == entry.name));
    }
}
