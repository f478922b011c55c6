//! A folder in which the pages' commands find what they name: images, arrays, references, weights, and one stored cell.

use crate::support::inception;
use crate::support::program::{Answer, Runner};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::experiment::catalogue;
use fidrunner::io::image::file::write_png;
use fidrunner::io::numpy::npz::{self, Array, Npz};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pixels a side of the images.
const SIDE: usize = 16;

pub struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    pub fn new() -> Scratch {
        let scratch = Scratch {
            folder: tempfile::tempdir().unwrap(),
        };
        scratch.link_what_ships();
        scratch.write_shim();
        for (name, first) in [("out", 0), ("ref", 100), ("train", 100)] {
            scratch.images(name, first);
        }
        for name in ["a", "b", "samples", "part-0", "part-1"] {
            scratch.batch(&format!("{name}.npz"), 40);
        }
        scratch.cache();
        for name in ["test.tar", "train-5000.tar"] {
            scratch.runner(["pack", "out", "--out", name]).succeeds();
        }
        scratch
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The repository's folders by links, but for those into which a command might write.
    fn link_what_ships(&self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["experiments", "examples", "benches"] {
            symlink(root.join(name), self.path(name)).unwrap();
        }
        fs::create_dir(self.path("reference_stats")).unwrap();
        for entry in fs::read_dir(root.join("reference_stats")).unwrap() {
            let path = entry.unwrap().path();
            let copy = self.path("reference_stats").join(path.file_name().unwrap());
            fs::copy(path, copy).unwrap();
        }
    }

    /// A program called `runner` that writes down what it is called with.
    fn write_shim(&self) {
        fs::create_dir(self.path("bin")).unwrap();
        let shim = self.path("bin/runner");
        let script = "#!/bin/sh\nprintf '%s\\0' runner \"$@\" > \"$ARGV\"\n";
        fs::write(&shim, script).unwrap();
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Twelve drawn images in two class folders.
    fn images(&self, name: &str, first: u64) {
        for i in 0..12 {
            let class = if i % 2 == 0 { "cat" } else { "dog" };
            let folder = self.path(name).join(class);
            fs::create_dir_all(&folder).unwrap();
            let pixels = Scene::of(Stream::Validation, first + i).render(SIDE);
            write_png(&folder.join(format!("{i}.png")), &pixels, SIDE, SIDE).unwrap();
        }
    }

    fn batch(&self, name: &str, first: u64) {
        let scene = |i: u64| Scene::of(Stream::Validation, first + i).render(SIDE);
        let pixels: Vec<u8> = (0..8).flat_map(scene).collect();
        let arrays = [("arr_0", Array::u8(&[8, SIDE, SIDE, 3], pixels))];
        npz::write(&self.path(name), &arrays).unwrap();
    }

    /// Inception's weights by rule under the published file's name, and references made with them under theirs.
    fn cache(&self) {
        fs::create_dir(self.path("cache")).unwrap();
        let place = |name: &str| {
            self.path("cache")
                .join(catalogue::find(name).unwrap().file())
        };
        inception::write(&place("inception"));
        let reference = self.runner(["reference", "ref", "--out", "stats.npz"]);
        reference.succeeds();
        fs::copy(self.path("stats.npz"), self.path("ref.npz")).unwrap();
        let mut stats = Npz::open(&self.path("stats.npz")).unwrap();
        let (mu, sigma) = stats.moments("mu", "sigma").unwrap();
        let (mu_s, sigma_s) = stats.moments("mu_s", "sigma_s").unwrap();
        let (d, s) = (mu.len(), mu_s.len());
        let scene = |i: u64| Scene::of(Stream::Validation, 100 + i).render(SIDE);
        let pixels: Vec<u8> = (0..12).flat_map(scene).collect();
        let arrays = [
            ("mu", Array::f64(&[d], mu)),
            ("sigma", Array::f64(&[d, d], sigma)),
            ("mu_s", Array::f64(&[s], mu_s)),
            ("sigma_s", Array::f64(&[s, s], sigma_s)),
            ("arr_0", Array::u8(&[12, SIDE, SIDE, 3], pixels)),
        ];
        let batch = place("imagenet256-reference");
        npz::write(&batch, &arrays).unwrap();
        let name = batch.file_name().unwrap();
        fs::copy(&batch, self.folder.path().join(name)).unwrap();
        let samples = place("imagenet256-samples-adm-g-u");
        fs::copy(self.path("samples.npz"), samples).unwrap();
        symlink(place("inception"), self.path("rule.pth")).unwrap();
    }

    /// Draws the first cell of the guidance study, for commands that read a cell.
    pub fn draw_first_cell(&self) {
        let only = [
            "--only",
            "model.resolution=16",
            "--only",
            "guidance.scale=0",
        ];
        let sweep = self.runner(["sweep", "experiments/guidance.toml", "--until", "sample"]);
        sweep.args(only).succeeds();
    }

    /// The program at work here, with this folder's cache.
    pub fn runner<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Runner {
        let runner = Runner::new().at(self.folder.path());
        runner.env("RUNNER_CACHE", self.path("cache")).args(args)
    }

    /// What the shell makes of a line that calls `runner`: the words that the program gets.
    pub fn words(&self, line: &str) -> Vec<String> {
        let argv = self.path("argv");
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.folder.path());
        shell.env("PATH", path).env("ARGV", &argv);
        let ended = shell.output().unwrap();
        assert!(ended.status.success(), "{line}: {ended:?}");
        let text = fs::read_to_string(&argv).unwrap_or_else(|_| panic!("{line}: no call"));
        fs::remove_file(&argv).unwrap();
        let words = text.trim_end_matches('\0').split('\0');
        words.map(str::to_string).collect()
    }

    /// The program called with the words of a line, without the name.
    pub fn call(&self, words: &[String]) -> Answer {
        self.runner(words[1..].iter().map(String::as_str)).run()
    }
}
