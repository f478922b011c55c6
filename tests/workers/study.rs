//! A study of one or two cells on guided nets, and what its store holds.

use crate::support::program::{Runner, guided};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A folder with an experiment file, and any number of stores.
pub struct Study {
    folder: tempfile::TempDir,
}

impl Study {
    /// `sample` is the text of the table `[sample]`, `grid` that of `[grid]`.
    pub fn new(sample: &str, grid: &str) -> Study {
        let folder = tempfile::tempdir().expect("a folder");
        let rest = format!("[grid]\n{grid}");
        let text = guided("shared", sample, &["fd", "is", "agreement"], &rest);
        std::fs::write(folder.path().join("shared.toml"), text).expect("the experiment");
        Study { folder }
    }

    /// A call on the store of this name.
    pub fn call(&self, store: &str, arguments: &[&str]) -> Runner {
        let runner = Runner::new().at(self.folder.path());
        runner.args(["--store", store]).args(arguments)
    }

    pub fn start(&self, store: &str, arguments: &[&str]) -> Child {
        let mut command: Command = self.call(store, arguments).command();
        command.spawn().expect("the program starts")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn table(&self) -> String {
        std::fs::read_to_string(self.path("reports/shared/table.csv")).expect("a table")
    }

    /// The folders of a stage's results.
    pub fn results(&self, store: &str, stage: &str) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.path(store).join(stage));
        let folders = folders.into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = folders.map(|folder| folder.path()).collect();
        paths.sort();
        paths
    }

    /// Every finished part of a stage, by its name.
    pub fn parts(&self, store: &str, stage: &str) -> BTreeMap<String, Vec<u8>> {
        let results = self.results(store, stage).into_iter();
        let files = results.flat_map(|folder| std::fs::read_dir(folder).unwrap().flatten());
        let parts = files.filter_map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            let whole = name.ends_with(".npz") && !name.starts_with('.');
            whole.then(|| (name, std::fs::read(file.path()).unwrap()))
        });
        parts.collect()
    }

    /// What must not be there once nobody works: leases, unfinished files, records of workers.
    pub fn leftovers(&self, store: &str) -> Vec<String> {
        self.named(store, &[".lease", ".part", "workers/"])
    }

    /// What must not be there once all is made: the accounts of who makes what, and how far it is.
    pub fn accounts(&self, store: &str) -> Vec<String> {
        self.named(store, &["maker-", "progress.json"])
    }

    fn named(&self, store: &str, words: &[&str]) -> Vec<String> {
        let files = walkdir::WalkDir::new(self.path(store))
            .into_iter()
            .flatten();
        let names = files.filter(|file| file.file_type().is_file()).map(|file| {
            let path = file
                .path()
                .strip_prefix(self.path(store))
                .unwrap()
                .to_owned();
            path.display().to_string()
        });
        let left = |name: &String| words.iter().any(|word| name.contains(word));
        names.filter(left).collect()
    }
}

pub fn manifest(folder: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("JSON")
}

/// Waits until `there` or a minute is over.
#[track_caller]
pub fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
