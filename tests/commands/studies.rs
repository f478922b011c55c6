//! Studies of training by the real program: nets as they were on the way, and classifiers trained beside them.

use crate::support::program::{Runner, repository};
use std::path::PathBuf;

struct Desk {
    folder: tempfile::TempDir,
}

/// Three steps of a small net at 16 pixels, kept after two; `more` adds tables.
fn experiment(more: &str) -> String {
    let root = repository("");
    let root = root.display();
    format!(
        r#"
name = "study"
[model]
preset = "shapes16"
[model.arch]
channels = 8
channel_mult = [1, 2]
heads = 1
[train]
data = "shapes"
steps = 3
batch = 4
learning_rate = 1e-3
ema = 0.5
keep = [2]
[sample]
steps = 2
count = 12
[eval]
features = "shapes"
weights = "{root}/experiments/shapes/features.safetensors"
reference = "{root}/reference_stats/shapes16.npz"
metrics = ["fd", "training-seconds"]
{more}"#
    )
}

impl Desk {
    fn new(text: &str) -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("study.toml"), text).expect("the experiment");
        Desk { folder }
    }

    fn sweep(&self, args: &[&str]) -> Runner {
        let runner = Runner::new().at(self.folder.path());
        runner.args(["sweep", "study.toml"]).args(args)
    }

    /// Runs it to its end and gives what it said on stderr.
    fn swept(&self, args: &[&str]) -> String {
        self.sweep(args).succeeds().stderr
    }

    fn stored(&self, stage: &str) -> Vec<PathBuf> {
        let folder = self.folder.path().join(".runner").join(stage);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let found = entries.map(|e| e.path()).filter(|p| p.is_dir());
        found.collect()
    }

    fn column(&self, name: &str) -> Vec<f64> {
        let table = self.folder.path().join("reports/study/table.csv");
        let text = std::fs::read_to_string(table).expect("a table");
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let head = lines.next().expect("a head");
        let at = head.iter().position(|h| *h == name);
        let at = at.unwrap_or_else(|| panic!("{head:?}"));
        lines
            .map(|line| line[at].parse().expect("a number"))
            .collect()
    }
}

#[test]
fn one_training_gives_the_nets_of_all_its_kept_steps() {
    let text = experiment(
        "[grid]\nsample.trained_steps = [2, 3]\n[[chart]]\nx = \"training-seconds\"\ny = [\"fd\"]\n",
    );
    let desk = Desk::new(&text);
    desk.swept(&[]);
    assert_eq!(desk.stored("train").len(), 1);
    assert_eq!(desk.stored("sample").len(), 2);
    let (seconds, fd) = (desk.column("training-seconds"), desk.column("fd"));
    assert!(seconds[0] > 0.0 && seconds[0] < seconds[1], "{seconds:?}");
    assert_ne!(fd[0], fd[1], "both nets draw the same images");
    // What a seed study reads later is what was noted while training, not the time of this run.
    desk.swept(&[]);
    assert_eq!(desk.column("training-seconds"), seconds);
    let chart = desk.folder.path().join("reports/study");
    let named = |name: &str| chart.join(name).exists();
    assert!(named("fd-vs-training-seconds.svg"), "no chart");
}

#[test]
fn one_training_gives_the_nets_of_all_its_averages() {
    let averages = "[train.power_ema]\nevery = 1\n[grid]\nsample.ema_length = [0.05, 0.2]\n";
    let desk = Desk::new(&experiment(averages).replace("ema = 0.5", "ema = [0.5, 0.9]"));
    let talk = desk.swept(&[]);
    assert_eq!(
        (desk.stored("train").len(), desk.stored("sample").len()),
        (1, 2),
        "{talk}"
    );
    let fd = desk.column("fd");
    assert_ne!(fd[0], fd[1], "both averages draw the same images");
    let page = desk.folder.path().join("reports/study/index.html");
    let page = std::fs::read_to_string(page).expect("a page");
    let told = "EMA 0.5, 0.9; power-function averages of sigma_rel 0.05, 0.1, 3 snapshots each";
    assert!(page.contains(told), "{page}");
    // The report of other axes than the file's is not this one.
    desk.swept(&["--set", "grid={ sample.ema = [0.5, 0.9] }"]);
    let stored = (desk.stored("train").len(), desk.stored("sample").len());
    assert_eq!(
        stored,
        (1, 4),
        "a training or images of their own for both decays"
    );
}

#[test]
fn the_last_step_by_its_number_is_the_last_step() {
    let desk = Desk::new(&experiment(""));
    desk.swept(&[]);
    let talk = desk.swept(&["--set", "sample.trained_steps=3"]);
    assert!(talk.contains("stored"), "{talk}");
    assert_eq!(desk.stored("sample").len(), 1);
}

#[test]
fn a_classifier_is_trained_for_the_cells_that_it_guides() {
    let guidance = r#"
[guidance]
preset = "shapes16-classifier"
scale = 0
[guidance.arch]
channels = 32
channel_mult = [1, 1]
attention = [8]
[guidance.train]
data = "shapes"
steps = 2
batch = 4
learning_rate = 1e-3
ema = 0.5
[grid]
guidance.train.noised = [true, false]
guidance.scale = [0, 500]
"#;
    let desk = Desk::new(&experiment(guidance));
    desk.swept(&[]);
    // One denoiser and two classifiers; the unguided cells are one.
    assert_eq!(desk.stored("train").len(), 3);
    assert_eq!(desk.stored("sample").len(), 3);
    let fd = desk.column("fd");
    assert_eq!(fd[0], fd[2]);
    assert_ne!(fd[1], fd[3]);
    // The time is the denoiser's, whichever classifier guides it.
    let seconds = desk.column("training-seconds");
    assert!(seconds.iter().all(|s| *s == seconds[0]), "{seconds:?}");
    // What is kept beside a classifier's weights makes them again, alone.
    let texts = desk.stored("train").into_iter();
    let texts = texts.map(|f| std::fs::read_to_string(f.join("job.toml")).expect("job.toml"));
    let of_classifiers = texts.filter(|text| text.contains("kind = \"classifier\""));
    for text in of_classifiers.collect::<Vec<_>>() {
        let cells =
            fidrunner::experiment::grid::sweep::cells(&text, &[], &[]).expect("an experiment file");
        let jobs = fidrunner::jobs::of_cell::jobs_of(&cells[0]).expect("its job");
        assert_eq!(jobs.len(), 1);
        let key = jobs[0].key().expect("its key");
        let found = desk.stored("train").into_iter();
        let mut names = found.filter_map(|f| f.file_name()?.to_str().map(String::from));
        assert!(names.any(|name| key.full().starts_with(&name)), "{key:?}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_cure() {
    for (more, set, said) in [
        (
            "",
            "sample.trained_steps=1",
            "sample.trained_steps = 1 is neither in train.keep = [2] nor train.steps = 3\nhint: add it to `train.keep`",
        ),
        (
            "[guidance]\npreset = \"shapes16-classifier\"\nscale = 1\n",
            "",
            "[guidance] needs weights\nhint: name them with `guidance.checkpoint = \"...\"`, or make them with a table [guidance.train]",
        ),
        (
            "[guidance]\nscale = 1\n[guidance.train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1e-3\n",
            "",
            "[guidance.train] needs to know what to train\nhint: set `guidance.preset`, such as \"shapes16-classifier\"",
        ),
        (
            "[guidance]\npreset = \"shapes16-classifier\"\nscale = 1\n[guidance.train]\ndata = \"shapes\"\nsteps = 1\nbatch = 0\nlearning_rate = 1e-3\n",
            "",
            "guidance.train.batch = 0 is below 1",
        ),
    ] {
        let desk = Desk::new(&experiment(more));
        let set = ["--set", set].into_iter().filter(|_| !set.is_empty());
        let mut refused = desk.sweep(&[]).args(set).refuses();
        for line in said.lines() {
            refused = refused.says(line);
        }
        assert!(desk.stored("train").is_empty());
    }
}
