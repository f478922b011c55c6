//! A folder with an experiment whose files are there, of the right names and shapes, and cannot be run: the weights are
//! damaged. And calls of the program in it.

use crate::support::pickles::{tensors_of_preset, write_damaged_torch};
use crate::support::program::{Answer, Runner, shipped};

use std::path::{Path, PathBuf};

pub const EXPERIMENT: &str = r#"name = "guidance64"
[model]
preset = "imagenet64"
checkpoint = "net.pt"
[guidance]
preset = "imagenet64-classifier"
checkpoint = "guide.pt"
scale = 1.0
[sample]
sampler = "ddim"
steps = 25
count = 1000
[eval]
features = "shapes"
weights = "features.safetensors"
reference = "reference.npz"
metrics = ["fd"]
[grid]
sample.steps = [25, 50]
guidance.scale = [0, 0.5, 1, 4]
"#;

pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// An empty folder.
    pub fn empty() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        Desk { folder }
    }

    /// A folder with `a.toml`, which is [`EXPERIMENT`], and the files that it names.
    pub fn new() -> Desk {
        let desk = Desk::empty();
        desk.write_files("");
        desk
    }

    /// The same files in a folder of the desk, which is there.
    pub fn write_files(&self, folder: &str) {
        let inside = |name: &str| format!("{folder}{name}");
        self.write_net(&inside("net.pt"), "imagenet64", "");
        self.write_net(&inside("guide.pt"), "imagenet64-classifier", "");
        let features = shipped("experiments/shapes/features.safetensors");
        std::fs::copy(features, self.path(&inside("features.safetensors"))).unwrap();
        self.write(&inside("reference.npz"), "no statistics");
        self.write(&inside("a.toml"), EXPERIMENT);
    }

    /// Damaged weights of a preset, whose names begin with `prefix`.
    pub fn write_net(&self, name: &str, preset: &str, prefix: &str) {
        let tensors = tensors_of_preset(preset, prefix);
        write_damaged_torch(&self.path(name), &tensors);
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A call in this folder, where the cache is too.
    pub fn runner(&self, args: &[&str]) -> Runner {
        let runner = Runner::new().at(self.root()).args(args);
        runner.env("XDG_CACHE_HOME", self.root())
    }

    pub fn run(&self, args: &[&str]) -> Answer {
        self.runner(args).run()
    }

    /// Stdout of a call that must end well.
    pub fn done(&self, args: &[&str]) -> String {
        self.runner(args).succeeds().stdout
    }

    /// Stderr of a call that must be refused.
    pub fn refused(&self, args: &[&str]) -> String {
        self.runner(args).refuses().stderr
    }
}
