//! What is known of a finished result: written last, by rename, so that its presence means done.

use crate::experiment::key::{Key, digest_file, hex};
use crate::io::disk::{JSON_LIMIT, read_bounded, read_json, write_atomic, write_json};
use crate::jobs::files::damage::{BROKEN, differs};
use crate::jobs::files::parts::LEASE;
use crate::jobs::files::results::TRAINING_LOG;
use crate::run::work::makers::{MAKER, Maker};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use walkdir::WalkDir;

pub const MANIFEST: &str = "manifest.json";

/// What the result is: an experiment file that makes it again.
pub const JOB: &str = "job.toml";

/// The second copy of the manifest and of the short JSON files beside it. Its name is hidden, so that it is no file of
/// the result.
pub const COPY: &str = ".copy.json";

/// Files of at most so many bytes are compared with their digests whenever a result is looked at, and the JSON files
/// among them are kept twice.
pub const SMALL: u64 = 16 << 10;

/// Between a manifest and the sha256 of its own text before these bytes.
const SEAL: &str = ",\n  \"sha256\": \"";
/// Behind that digest.
const SEALED: &str = "\"\n}\n";
/// How a manifest of a version that wrote no digest of its own ends.
const UNSEALED: &[u8] = b"]\n}\n";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub key: Key,
    pub stage: String,
    /// The stage's VERSION.
    pub version: u32,
    /// Images 0..count are there; None where the result is one whole.
    pub count: Option<usize>,
    /// `runner`'s own version.
    pub runner: String,
    /// Recorded, not hashed: an edit of the README must not cost 50,000 images.
    pub git: Option<Git>,
    pub device: String,
    pub host: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// Of the run that finished the result.
    pub seconds: f64,
    /// The workers that made its parts, where it is made of parts; a part whose maker had not told yet is not among theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makers: Vec<Maker>,
    /// Files outside the store that were read.
    pub inputs: Vec<Input>,
    /// Results in the store that were read.
    pub needs: Vec<Key>,
    pub files: BTreeMap<String, Stored>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Git {
    pub commit: String,
    pub dirty: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub path: PathBuf,
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// The manifest in `folder`; None where there is none.
    ///
    /// # Errors
    /// Where it cannot be read, or is not as it was written.
    pub fn read(folder: &Path) -> Result<Option<Manifest>> {
        let path = folder.join(MANIFEST);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            _ => read_bounded(&path, JSON_LIMIT)
                .and_then(|text| Manifest::of(&text))
                .with_context(|| format!("reading {}", path.display()))
                .map(Some),
        }
    }

    /// The manifest that a file's bytes say, once they are found to be those that were written.
    fn of(text: &[u8]) -> Result<Manifest> {
        let own = text
            .strip_suffix(SEALED.as_bytes())
            .and_then(|text| text.split_at_checked(text.len().checked_sub(64)?))
            .and_then(|(text, digest)| Some((text.strip_suffix(SEAL.as_bytes())?, digest)));
        match own {
            Some((text, digest)) => {
                let found = hex(&Sha256::digest(text));
                ensure!(
                    found.as_bytes() == digest,
                    "its text has another sha256 than it says"
                );
            }
            None if text.ends_with(UNSEALED) => {}
            None => bail!("it does not end as a manifest does"),
        }
        let manifest: Manifest = serde_json::from_slice(text)?;
        for name in manifest.files.keys() {
            let mut parts = Path::new(name).components();
            let below = parts.all(|part| matches!(part, Component::Normal(_)));
            ensure!(
                below && !name.is_empty(),
                "it names a file `{name}` outside its folder"
            );
        }
        Ok(manifest)
    }

    /// Whether the manifest in `folder` ends with the digest of its own text, as those of versions that keep a copy do.
    pub fn is_sealed(folder: &Path) -> bool {
        let text = read_bounded(&folder.join(MANIFEST), JSON_LIMIT);
        text.is_ok_and(|text| text.ends_with(SEALED.as_bytes()))
    }

    /// Its text, with the digest of all that stands before it as the last field.
    fn sealed(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self)?;
        let text = text
            .strip_suffix("\n}")
            .context("a manifest is an object")?;
        let digest = hex(&Sha256::digest(text.as_bytes()));
        Ok(format!("{text}{SEAL}{digest}{SEALED}"))
    }

    /// Writes the copy and then the manifest, whose presence makes the result count as done.
    ///
    /// # Errors
    /// Where `folder` cannot be written, or a file that is named is gone.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = self.sealed()?;
        let copy = Copy::of(folder, self, &text)?;
        write_json(&folder.join(COPY), &copy)?;
        write_text(&folder.join(MANIFEST), &text)
    }

    /// All its files are there in their sizes, the small ones with their digests.
    pub fn holds(&self, folder: &Path) -> bool {
        self.counted().all(|(name, stored)| {
            let path = folder.join(name);
            if stored.bytes > SMALL {
                let meta = std::fs::metadata(&path);
                return meta.is_ok_and(|meta| meta.len() == stored.bytes);
            }
            matches!(differs(&path, stored.bytes, &stored.sha256), Ok(None))
        })
    }

    /// Seconds of one device that the whole result took, however many workers shared it.
    pub fn device_seconds(&self) -> f64 {
        let shares: f64 = self.makers.iter().map(|maker| maker.seconds).sum();
        if shares > 0.0 { shares } else { self.seconds }
    }

    /// The files that others read, and so make the result; the log of a training is for people alone.
    pub fn counted(&self) -> impl Iterator<Item = (&String, &Stored)> {
        let files = self.files.iter();
        files.filter(|(name, _)| *name != TRAINING_LOG)
    }

    pub fn bytes(&self) -> u64 {
        self.files.values().map(|stored| stored.bytes).sum()
    }
}

/// What is kept twice of a result, so that damage to a few bytes does not cost it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The text of the manifest.
    manifest: String,
    /// `job.toml`: its sha256 and its text.
    job: Option<(String, String)>,
    /// The texts of the short JSON files, by name.
    files: BTreeMap<String, String>,
}

impl Copy {
    fn of(folder: &Path, manifest: &Manifest, text: &str) -> Result<Copy> {
        let mut files = BTreeMap::new();
        for (name, stored) in &manifest.files {
            if stored.bytes <= SMALL && name.ends_with(".json") {
                let text = read_bounded(&folder.join(name), SMALL)?;
                // Another program's file may be no text; it is then kept once.
                if let Ok(text) = String::from_utf8(text) {
                    files.insert(name.clone(), text);
                }
            }
        }
        let job = std::fs::read_to_string(folder.join(JOB)).ok();
        Ok(Copy {
            manifest: text.to_string(),
            job: job.map(|text| (hex(&Sha256::digest(text.as_bytes())), text)),
            files,
        })
    }

    /// The copy in `folder`, where there is one that can be read.
    pub fn read(folder: &Path) -> Option<Copy> {
        read_json(&folder.join(COPY)).ok()
    }

    /// The manifest, where it is as it was written.
    pub fn manifest(&self) -> Option<Manifest> {
        Manifest::of(self.manifest.as_bytes()).ok()
    }

    /// Whether it holds this manifest, and whole texts of all the files that it is to hold.
    pub fn is_of(&self, manifest: &Manifest) -> bool {
        let texts = self.files.keys().all(|name| {
            let stored = manifest.files.get(name);
            stored.is_some_and(|stored| self.text(name, stored).is_some())
        });
        let job = self.job.is_none() || self.job().is_some();
        texts && job && self.manifest().as_ref() == Some(manifest)
    }

    /// The text of `name`, where it has the digest that the manifest says.
    pub fn text(&self, name: &str, stored: &Stored) -> Option<&str> {
        let text = self.files.get(name)?;
        let whole = hex(&Sha256::digest(text.as_bytes())) == stored.sha256;
        whole.then_some(text.as_str())
    }

    /// The text of `job.toml`, where it is as it was written.
    pub fn job(&self) -> Option<&str> {
        let (digest, text) = self.job.as_ref()?;
        (hex(&Sha256::digest(text.as_bytes())) == *digest).then_some(text.as_str())
    }

    /// Writes the manifest in the place of one that is damaged or gone.
    ///
    /// # Errors
    /// Where `folder` cannot be written.
    pub fn restore_manifest(&self, folder: &Path) -> Result<()> {
        write_text(&folder.join(MANIFEST), &self.manifest)
    }
}

/// Removes the manifest and its copy: the result no longer counts as done.
///
/// # Errors
/// Where a file that is there cannot be removed.
pub fn remove(folder: &Path) -> Result<()> {
    for name in [MANIFEST, COPY] {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.with_context(|| format!("removing {}", path.display()))?,
        }
    }
    Ok(())
}

/// Writes a text, whole or not at all.
///
/// # Errors
/// Where it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    write_atomic(path, |out| Ok(out.write_all(text.as_bytes())?))
}

/// Digests of the files in `folder` and below it that are results, by their paths from there.
pub fn files(folder: &Path, own: &[&str]) -> Result<BTreeMap<String, Stored>> {
    let mut found = BTreeMap::new();
    let reading = || format!("reading {}", folder.display());
    // Hidden names are files that are being written.
    let walk = WalkDir::new(folder).into_iter().filter_entry(|entry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    });
    for entry in walk {
        let entry = entry.with_context(reading)?;
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name = path.to_string_lossy().into_owned();
        let other =
            own.contains(&name.as_str()) || name.ends_with(LEASE) || name.starts_with(MAKER);
        let other = other || name.ends_with(&format!(".{BROKEN}"));
        if other || !entry.file_type().is_file() {
            continue;
        }
        let stored = Stored {
            bytes: entry.metadata().with_context(reading)?.len(),
            sha256: digest_file(entry.path())?,
        };
        found.insert(name, stored);
    }
    Ok(found)
}

/// The commit of the working folder; None outside a repository.
pub fn git() -> Option<Git> {
    static GIT: OnceLock<Option<Git>> = OnceLock::new();
    let ask = |args: &[&str]| {
        let out = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8_lossy(&out.stdout).trim().to_string();
        out.status.success().then_some(text)
    };
    GIT.get_or_init(|| {
        Some(Git {
            commit: ask(&["rev-parse", "HEAD"])?,
            dirty: !ask(&["status", "--porcelain", "--untracked-files=no"])?.is_empty(),
        })
    })
    .clone()
}
