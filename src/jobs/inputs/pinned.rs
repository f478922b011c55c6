//! Files that jobs read, by what is in them: their sha256 reaches the key, their paths do not.

use crate::data::container::archive::LABELS;
use crate::data::container::in_folder::passed_over;
use crate::experiment::catalogue::{self, SCHEME};
use crate::experiment::file::experiment::Eval;
use crate::experiment::key::{digest_file, hex};
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::machine::profile::{Operation, span};
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A file, or a folder of images, and the sha256 of what was in it when the job was made ([`digest_path`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    pub path: PathBuf,
    pub digest: String,
}

impl Pinned {
    /// The name to fetch it by, where it is a published file that is not in the cache. Keys of what reads it are then
    /// not those that they will be.
    pub fn absent(&self) -> Option<&str> {
        self.path.to_str()?.strip_prefix(SCHEME)
    }
}

/// The file at `path`, which the experiment names under `key`.
pub fn pinned(key: &str, path: &Path) -> Result<Pinned> {
    ensure!(
        !path.is_dir(),
        "{key} = \"{}\" is a folder, a file is needed\nhint: pack the images as a tar, zip or npz file, or make a file of statistics with `runner reference`",
        path.display()
    );
    let digest = match path.to_str().and_then(|text| text.strip_prefix(SCHEME)) {
        // Where no digest is published, the name keeps the keys of different files apart.
        Some(name) => match catalogue::find(name)?.sha256 {
            Some(digest) => digest.to_string(),
            None => format!("{name}, not fetched yet"),
        },
        None => digest_file(path).with_context(|| {
            let hint = match catalogue::of_path(path) {
                Some(entry) if !path.exists() => format!(
                    "\nhint: `runner fetch {0}` gets it, and `{SCHEME}{0}` is its path then",
                    entry.name
                ),
                _ => String::new(),
            };
            format!("{key} = \"{}\" cannot be read{hint}", path.display())
        })?,
    };
    let path = path.to_path_buf();
    Ok(Pinned { path, digest })
}

/// `eval.reference`: a file, or for a published network a folder of images too.
pub fn pinned_reference(path: &Path, eval: &Eval) -> Result<Pinned> {
    if !path.is_dir() {
        return pinned("eval.reference", path);
    }
    let shown = path.display();
    ensure!(
        FeatureSpace::named(&eval.features).is_published(),
        "eval.reference = \"{shown}\" is a folder, and features of \"{0}\" are compared with a file of statistics\nhint: make one of the folder: `runner reference {shown} --resolution R --count N --weights {1} --out FILE.npz`, with the samples' R",
        eval.features,
        eval.weights.display()
    );
    let digest = digest_path(path).with_context(|| format!("eval.reference = \"{shown}\""))?;
    let path = path.to_path_buf();
    Ok(Pinned { path, digest })
}

/// What [`Pinned::digest`] is: sha256 of a file, or of the sha256 of every file below a folder, in the order of their
/// paths. A file's is taken once a process while its size and time of change stay.
pub fn digest_path(path: &Path) -> Result<String> {
    let _span = span(Operation::Hash);
    if !path.is_dir() {
        return digest_file(path);
    }
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(path).follow_links(true) {
        let entry = match entry {
            Ok(entry) => entry,
            // No image is read there either, which is told when the images are.
            Err(error) if passed_over(&error).is_some() => continue,
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    files.sort();
    let digests = files.par_iter().map(|file| match digest_file(file) {
        Err(error) if forbidden(&error) => Ok(None),
        digest => digest.map(Some),
    });
    let digests: Vec<Option<String>> = digests.collect::<Result<_>>()?;
    let digests: Vec<String> = digests.into_iter().flatten().collect();
    Ok(hex(&Sha256::digest(digests.concat())))
}

/// Whether a file could not be opened because the permission is missing.
fn forbidden(error: &anyhow::Error) -> bool {
    let system = error.downcast_ref::<std::io::Error>();
    system.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// `train.data`: a file by its bytes; a folder by the names and sizes in it, and by its labels; `shapes`, made by rule, by its name alone.
/// What is not there can still be planned, under a key that it will not have.
pub fn digest_data(data: &str) -> Result<Option<String>> {
    let _span = span(Operation::Hash);
    if data == "shapes" {
        return Ok(None);
    }
    let path = Path::new(data);
    if !path.exists() {
        return Ok(Some(format!("{data}, not here yet")));
    }
    if !path.is_dir() {
        return Ok(Some(pinned("train.data", path)?.digest));
    }
    let mut hash = Sha256::new();
    for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if passed_over(&error).is_some() => continue,
            Err(error) => return Err(error).with_context(|| format!("reading {data}")),
        };
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
            hash.update(format!("{}\n{}\n", name.display(), entry.metadata()?.len()));
        }
    }
    // Other labels of the same length are another data set.
    let labels = path.join(LABELS);
    if labels.is_file() {
        hash.update(digest_file(&labels)?);
    }
    Ok(Some(hex(&hash.finalize())))
}
