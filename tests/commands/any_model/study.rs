//! An experiment of a program, in a folder of its own.

use crate::support::program::{Answer, Runner, shipped};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with a copy of the shipped sampler, and what is typed in it.
pub struct Study {
    folder: tempfile::TempDir,
}

impl Study {
    pub fn new() -> Study {
        let study = Study {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let sampler = std::fs::read_to_string(shipped("examples/any_model/sample.py"));
        study.write("sample.py", &sampler.expect("the shipped sampler"));
        study
    }

    /// A study whose file is `text`.
    pub fn of(text: &str) -> Study {
        let study = Study::new();
        study.write("study.toml", text);
        study
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    pub fn runner(&self, args: &[&str]) -> Runner {
        // Locks of devices belong to this study, so that tests do not wait for each other.
        let locks = self.path("locks");
        std::fs::create_dir_all(&locks).expect("a folder");
        Runner::new()
            .at(self.folder.path())
            .env("RUNNER_LOCKS", locks)
            .env("CUDA_VISIBLE_DEVICES", "")
            .args(args)
    }

    pub fn sweep(&self, more: &[&str]) -> Runner {
        self.runner(&["sweep", "study.toml"]).args(more)
    }

    pub fn table(&self) -> String {
        std::fs::read_to_string(self.path("reports/study/table.csv")).expect("a table")
    }

    /// The jobs of the plan as JSON.
    pub fn plan(&self, more: &[&str]) -> Vec<serde_json::Value> {
        let plan = self.runner(&["plan", "study.toml", "--json"]).args(more);
        plan.succeeds().json_lines()
    }

    /// Folders of the store's results of a stage.
    pub fn results(&self, stage: &str) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.path(".runner").join(stage));
        let folders = folders.into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        folders.sort();
        folders
    }

    /// The log of the one result of a stage.
    pub fn log(&self, stage: &str) -> String {
        let results = self.results(stage);
        assert_eq!(results.len(), 1, "{results:?}");
        std::fs::read_to_string(results[0].join("log.txt")).expect("a log")
    }

    /// What the store holds of a stage by file name: no folder of a program may be left.
    pub fn stored(&self, stage: &str) -> Vec<String> {
        let mut names = Vec::new();
        for folder in self.results(stage) {
            let entries = std::fs::read_dir(folder).expect("a result").flatten();
            names.extend(entries.map(|e| e.file_name().to_string_lossy().into_owned()));
        }
        names.sort();
        names
    }
}

/// `[eval]` by the shapes world's net against its 32-pixel reference.
pub fn eval(metrics: &str) -> String {
    format!(
        "[eval]\nfeatures = \"shapes\"\nweights = \"{}\"\nreference = \"{}\"\nmetrics = {metrics}\n",
        shipped("experiments/shapes/features.safetensors"),
        shipped("reference_stats/shapes32.npz"),
    )
}

/// `[sample]` by a command, given as TOML.
pub fn sampled(command: &str, more: &str) -> String {
    format!("name = \"study\"\n[sample]\ncommand = {command}\n{more}\n")
}

/// The shipped sampler's arguments, elastic.
pub const ELASTIC: &str = r#"["python3", "sample.py", "--out", "{out}", "--first", "{first}", "--count", "{count}", "--seed", "{seed}"]"#;

/// The same, all images by one call.
pub const WHOLE: &str =
    r#"["python3", "sample.py", "--out", "{out}", "--count", "{count}", "--seed", "{seed}"]"#;

/// Processes whose command line holds `text`.
pub fn running(text: &str) -> usize {
    let all = Command::new("ps").args(["-eo", "pid,args"]).output();
    let all = String::from_utf8_lossy(&all.expect("ps").stdout).into_owned();
    all.lines().filter(|line| line.contains(text)).count()
}

/// The answer's standard error, for what must not be in it.
#[track_caller]
pub fn says_nothing_of(answer: &Answer, part: &str) {
    let said = &answer.stderr;
    assert!(!said.contains(part), "{part}\nis in\n{said}");
}

/// A file of so many bytes is there.
pub fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file())
}
