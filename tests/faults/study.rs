//! Studies that run in a second, in folders of their own.

use crate::support::program::{Answer, Runner, shipped};
use std::fs;
use std::path::{Path, PathBuf};

/// What of a study is made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// The net that ships.
    Shipped,
    /// One that is trained for a few steps.
    Trained,
}

/// A folder with the experiment `small.toml`.
pub struct Study {
    folder: tempfile::TempDir,
}

impl Study {
    /// With a cell for each of so many seeds.
    pub fn of(net: Net, seeds: u64) -> Study {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("small.toml"), text(net, seeds)).expect("the experiment");
        Study { folder }
    }

    pub fn at(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.at().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path(".runner")
    }

    pub fn runner(&self, arguments: &[&str]) -> Runner {
        Runner::new().at(self.at()).args(arguments)
    }

    /// Sweeps to a good end.
    #[track_caller]
    pub fn sweep(&self) -> Answer {
        self.runner(&["sweep", "small.toml", "--device", "cpu"])
            .succeeds()
    }

    /// The table of the last report.
    pub fn table(&self) -> String {
        fs::read_to_string(self.path("reports/small/table.csv")).expect("a table")
    }

    /// Every file of the store, by its path in it, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        let store = self.store();
        let all = walkdir::WalkDir::new(&store).sort_by_file_name();
        let files = all.into_iter().flatten();
        let files = files.filter(|entry| entry.file_type().is_file());
        let below = |path: &Path| path.strip_prefix(&store).expect("below").to_path_buf();
        files.map(|entry| below(entry.path())).collect()
    }

    /// How many lines of the logs in the store hold `part`.
    pub fn logs(&self, part: &str) -> usize {
        let logs = self
            .files()
            .into_iter()
            .filter(|file| file.ends_with("log.txt"));
        let texts = logs.filter_map(|file| fs::read_to_string(self.store().join(file)).ok());
        texts
            .map(|text| text.lines().filter(|line| line.contains(part)).count())
            .sum()
    }

    /// Makes the store the same as `other`'s.
    pub fn take_store(&self, other: &Study) {
        if self.store().exists() {
            fs::remove_dir_all(self.store()).expect("the old store goes");
        }
        for file in other.files() {
            let to = self.store().join(&file);
            fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
            fs::copy(other.store().join(&file), to).expect("a copy");
        }
    }
}

fn text(net: Net, seeds: u64) -> String {
    let (features, reference) = (
        shipped("experiments/shapes/features.safetensors"),
        shipped("reference_stats/shapes16.npz"),
    );
    let model = match net {
        Net::Shipped => format!(
            "[model]\ncheckpoint = \"{}\"\n",
            shipped("experiments/shapes/unet16.safetensors")
        ),
        Net::Trained => {
            "[model]\npreset = \"shapes16\"\n[model.arch]\nchannel_mult = [1, 1]\nattention = []\n\
             [train]\ndata = \"shapes\"\nsteps = 4\nbatch = 2\nlearning_rate = 1e-3\ncheckpoint_every = 2\nkeep = [2]\n"
                .to_string()
        }
    };
    let seeds: Vec<u64> = (0..seeds).collect();
    format!(
        r#"
name = "small"
{model}
[sample]
steps = 2
count = 12
part = 8
[eval]
features = "shapes"
weights = "{features}"
reference = "{reference}"
metrics = ["fd", "precision"]
[grid]
sample.seed = {seeds:?}
"#
    )
}
