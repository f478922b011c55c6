//! A small study on a cluster, and the sweep that drives it.

use crate::cluster::Cluster;
use crate::support::program::{Answer, Runner, guided};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// A folder with `small.toml`: two cells of 24 images in parts of 6, with nets that ship.
pub struct Study<'a> {
    pub cluster: &'a Cluster,
}

impl Study<'_> {
    /// `steps` decides how long the images take; `slurm` is the table of that name.
    pub fn new<'a>(cluster: &'a Cluster, steps: usize, slurm: &str) -> Study<'a> {
        let sample = format!("steps = {steps}\ncount = 24\npart = 6\nbatch = 3");
        let rest = format!("[grid]\nguidance.scale = [0, 5]\n[slurm]\n{slurm}");
        let text = guided("small", &sample, &["fd", "precision"], &rest);
        Study::of(cluster, &text)
    }

    /// A study of this text.
    pub fn of<'a>(cluster: &'a Cluster, text: &str) -> Study<'a> {
        fs::write(cluster.path("study/small.toml"), text).unwrap();
        Study { cluster }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.cluster.path("study").join(name)
    }

    fn call(&self, extra: &[&str]) -> Runner {
        let runner = Runner::new().at(&self.path(""));
        let runner = runner
            .args(["sweep", "small.toml", "--device", "cpu"])
            .args(extra);
        runner
            .env("SLURM_CONF", self.cluster.conf())
            .env("XDG_CONFIG_HOME", self.path("config"))
            // What a shell of the user's may hold must have no say.
            .env("SBATCH_PARTITION", "nowhere")
            .env("SLURM_JOB_ID", "1")
    }

    /// The sweep by Slurm, to its end.
    pub fn sweep(&self, extra: &[&str]) -> Answer {
        self.call(&[&["--slurm"], extra].concat()).run()
    }

    /// The same in the background.
    pub fn start(&self) -> Driver {
        let mut command = self.call(&["--slurm"]).command();
        let log = fs::File::create(self.path("driver.txt")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Driver {
            child,
            said: self.path("driver.txt"),
        }
    }

    /// A sweep on this machine alone, in the same store.
    pub fn alone(&self, extra: &[&str]) -> Answer {
        self.call(extra).run()
    }

    /// The process ids of Slurm's workers, by what they say of themselves in the store.
    pub fn workers(&self) -> Vec<i32> {
        let files = fs::read_dir(self.path(".runner/workers")).unwrap();
        let records = files.flatten().filter_map(|file| {
            let text = fs::read_to_string(file.path()).ok()?;
            serde_json::from_str::<serde_json::Value>(&text).ok()
        });
        let of_slurm = records.filter(|record| record["scheduler"].is_string());
        of_slurm
            .filter_map(|record| i32::try_from(record["pid"].as_i64()?).ok())
            .collect()
    }

    /// The table that a sweep on this machine alone writes, in a store of its own.
    pub fn local_table(&self) -> String {
        let answer = self.call(&["--store", "local"]).run();
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let table = self.table();
        fs::remove_dir_all(self.path("reports")).unwrap();
        table
    }

    pub fn table(&self) -> String {
        fs::read_to_string(self.path("reports/small/table.csv")).expect("a table")
    }

    /// The records of what was submitted.
    pub fn submissions(&self) -> Vec<PathBuf> {
        let files = walkdir::WalkDir::new(self.path(".runner/slurm"))
            .into_iter()
            .flatten();
        let record = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("runner-") && name.ends_with(".json")
        };
        files.map(|file| file.into_path()).filter(record).collect()
    }

    /// The parts of images in the store.
    pub fn parts(&self) -> usize {
        let images = |e: &walkdir::DirEntry| {
            let name = e.file_name().to_string_lossy();
            name.starts_with("images-") && name.ends_with(".npz")
        };
        let store = walkdir::WalkDir::new(self.path(".runner/sample"));
        store.into_iter().flatten().filter(images).count()
    }
}

/// A sweep in the background; dropping it kills it.
pub struct Driver {
    child: Child,
    said: PathBuf,
}

impl Driver {
    pub fn said(&self) -> String {
        let mut text = String::new();
        let mut file = fs::File::open(&self.said).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn interrupt(&mut self) -> Option<i32> {
        // SAFETY: a signal to a child of this process that is not reaped yet.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGINT) };
        self.child.wait().unwrap().code()
    }

    /// Waits for its end, which must be good.
    #[track_caller]
    pub fn succeeds(&mut self) {
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0), "{}", self.said());
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
