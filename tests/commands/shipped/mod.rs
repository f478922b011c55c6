//! What ships with the program: studies by name in any folder, the files that they read, and the package that holds them.

mod by_name;
mod containers;
mod files;
mod init;
mod package;
mod pages;

use crate::support::program::{PROGRAM, Runner, repository};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of the wheel, as they lie in `share/fidrunner`.
fn share() -> PathBuf {
    repository("wheel/data/share/fidrunner")
}

/// An installed program, and an empty folder to work in.
struct Installed {
    folder: tempfile::TempDir,
}

impl Installed {
    /// `PREFIX/bin/runner`, with the files of the wheel in `PREFIX/share/fidrunner`.
    fn new() -> Installed {
        let installed = Installed::without_files();
        fs::create_dir(installed.at("prefix/share")).expect("a folder");
        let of_prefix = installed.at("prefix/share/fidrunner");
        std::os::unix::fs::symlink(share(), of_prefix).expect("a link");
        installed
    }

    /// `PREFIX/bin/runner` alone.
    fn without_files() -> Installed {
        let folder = tempfile::tempdir().expect("a folder");
        let installed = Installed { folder };
        fs::create_dir_all(installed.at("prefix/bin")).expect("a folder");
        fs::create_dir(installed.at("work")).expect("a folder");
        let program = installed.at("prefix/bin/runner");
        if fs::hard_link(PROGRAM, &program).is_err() {
            fs::copy(PROGRAM, &program).expect("a copy of the program");
        }
        installed
    }

    fn at(&self, path: &str) -> PathBuf {
        let root = self.folder.path().canonicalize().expect("a path");
        root.join(path)
    }

    fn runner(&self, args: &[&str]) -> Runner {
        let runner = Runner::of(&self.at("prefix/bin/runner"));
        runner.at(&self.at("work")).args(args)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.at("work").join(path), text).expect("a file");
    }

    fn plan(&self, file: &str) -> Vec<String> {
        keys(self.runner(&["plan", file, "--json"]))
    }
}

/// The keys of a plan's jobs.
fn keys(plan: Runner) -> Vec<String> {
    let lines = plan.succeeds().json_lines();
    let keys = lines
        .iter()
        .map(|line| line["key"].as_str().expect("a key"));
    let keys: Vec<String> = keys.map(String::from).collect();
    assert!(!keys.is_empty());
    keys
}

/// Every experiment file that ships, by the name of its study.
fn studies() -> Vec<(String, PathBuf)> {
    let folders = [
        ("", "experiments"),
        ("imagenet/", "experiments/imagenet"),
        ("shapes/", "experiments/shapes"),
        ("any_model/", "examples/any_model"),
    ];
    let mut studies = Vec::new();
    for (before, folder) in folders {
        for entry in fs::read_dir(repository(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                let stem = path.file_stem().expect("a name").display();
                studies.push((format!("{before}{stem}"), path));
            }
        }
    }
    assert!(studies.len() > 30);
    studies
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
