//! What was submitted for a sweep, written down in the store before it is sent: whatever ends the driver, the next one
//! finds the workers by their tags.

use crate::io::disk::{read_json, write_json};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder of the store for all sweeps on clusters.
const FOLDER: &str = "slurm";
const CANCELLED: &str = "cancelled";

/// An array of workers that was sent, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The job name of its workers, which nothing else has.
    pub tag: String,
    pub stages: Vec<String>,
    /// The array's tasks are 0..workers.
    pub workers: usize,
    /// The array's number; None until it is known.
    pub id: Option<u64>,
    /// Nodes that it keeps away from.
    pub exclude: Vec<String>,
    /// RFC 3339, UTC.
    pub at: String,
    /// Nothing of it is to be waited for any more.
    pub closed: bool,
}

/// The books of one sweep: `STORE/slurm/RUN`.
#[derive(Clone, Debug)]
pub struct Ledger {
    folder: PathBuf,
    run: String,
}

impl Ledger {
    /// The books of the sweep that `what` tells from every other on the store: its name first, then its file and options.
    pub fn of(root: &Path, what: &[&str]) -> Ledger {
        let mut digest = Sha256::new();
        for part in what {
            digest.update(part.len().to_le_bytes());
            digest.update(part.as_bytes());
        }
        let digest: String = digest
            .finalize()
            .iter()
            .take(4)
            .map(|b| format!("{b:02x}"))
            .collect();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = what
            .first()
            .unwrap_or(&"")
            .chars()
            .map(plain)
            .take(24)
            .collect();
        let run = format!("{}-{digest}", name.trim_matches('-'));
        Ledger {
            folder: root.join(FOLDER).join(&run),
            run,
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// The log of one worker.
    pub fn log(&self, array: u64, index: usize) -> PathBuf {
        self.logs().join(format!("{array}_{index}.log"))
    }

    /// The lease of whoever submits for the sweep.
    pub fn lease(&self) -> PathBuf {
        self.folder.join("driver.lease")
    }

    /// Makes the folders; Slurm starts no task whose log's folder is missing.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn prepare(&self) -> Result<()> {
        let logs = self.logs();
        fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))
    }

    /// A name that no submission had, on whatever cluster: `runner-RUN-`, and 12 random hexadecimal digits and a count.
    pub fn fresh_tag(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let writer = crate::io::disk::writer();
        format!("runner-{}-{}{count}", self.run, &writer[..12])
    }

    pub fn script(&self, tag: &str) -> PathBuf {
        self.folder.join(format!("{tag}.sh"))
    }

    /// Writes a submission down, through to the disk.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn write(&self, submission: &Submission) -> Result<()> {
        write_json(
            &self.folder.join(format!("{}.json", submission.tag)),
            submission,
        )
    }

    /// Every submission, the oldest first.
    ///
    /// # Errors
    /// A record that cannot be read: what it stands for might be sent twice.
    pub fn read(&self) -> Result<Vec<Submission>> {
        let mut all = Vec::new();
        for file in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with("runner-") && name.ends_with(".json") {
                all.push(read_json::<Submission>(&file.path())?);
            }
        }
        all.sort_by(|a, b| (&a.at, &a.tag).cmp(&(&b.at, &b.tag)));
        Ok(all)
    }

    /// Tells whoever submits for the sweep to end.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn call_off(&self) -> Result<()> {
        write_json(
            &self.folder.join(CANCELLED),
            &jiff::Timestamp::now().to_string(),
        )
    }

    pub fn is_called_off(&self) -> bool {
        self.folder.join(CANCELLED).exists()
    }

    pub fn go_ahead(&self) {
        let _ = fs::remove_file(self.folder.join(CANCELLED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_have_books_of_their_own_and_submissions_names_of_their_own() {
        let root = Path::new("store");
        let run = |what: &[&str]| Ledger::of(root, what).run;
        assert_eq!(run(&["a b", "f"]), run(&["a b", "f"]));
        assert!(run(&["a b", "f"]).starts_with("a-b-"));
        assert_ne!(run(&["a", "bc"]), run(&["a", "b", "c"]));
        let ledger = Ledger::of(root, &["a"]);
        assert_ne!(ledger.fresh_tag(), ledger.fresh_tag());
    }
}
