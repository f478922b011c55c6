//! Images that are there already: a folder, archive or array file → `images-AAAAAA-BBBBBB.npz`.

use crate::data::container::in_folder::passed_over;
use crate::data::gallery::Gallery;
use crate::experiment::file::experiment::Adopted;
use crate::experiment::grid::paths::{found, looked_in};
use crate::experiment::grid::sweep::Cell;
use crate::experiment::grid::template::fill;
use crate::experiment::key::{Key, hex};
use crate::jobs::inputs::pinned::{Pinned, digest_path};
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;
use walkdir::WalkDir;

#[derive(Clone, Debug, PartialEq)]
pub struct AdoptedJob {
    /// The images, by what is in them.
    pub from: Pinned,
    /// sha256 of the names of a folder's files: they decide which image comes first, and its label.
    pub names: String,
    /// The first so many in the natural order of their names.
    pub count: usize,
    /// Pixels a side; other images are refused.
    pub size: Option<usize>,
    /// A metric compares the images with their labels.
    pub needs_labels: bool,
}

/// The images that a cell names.
///
/// # Errors
/// Nothing at the place, nothing that holds images, or fewer images than are asked for.
pub(crate) fn adopted(cell: &Cell, files: &Adopted) -> Result<AdoptedJob> {
    let value = |name: &str| match (name, files.seed) {
        ("seed", Some(seed)) => Ok(seed.to_string()),
        ("seed", None) => bail!("{{seed}} is not known\nhint: set sample.seed"),
        _ => bail!("{{{name}}} is known to commands alone"),
    };
    let text = fill(&files.from, &mut { value }).context("sample.from")?;
    let path = found(Path::new(&text), &cell.folders);
    let named = || format!("sample.from = \"{text}\"");
    ensure!(
        path.exists(),
        "sample.from = \"{text}\": nothing is there{}",
        looked_in(&cell.folders, None)
            .map_or_else(String::new, |places| format!("\nhint: {places}"))
    );
    let there = Gallery::open(&[path.to_string_lossy()])
        .with_context(named)?
        .len();
    let count = files.count.unwrap_or(there);
    ensure!(
        count <= there,
        "sample.from = \"{text}\" holds {there} images, and sample.count = {count}\nhint: ask for fewer, or leave sample.count out to take all"
    );
    let from = Pinned {
        digest: digest_path(&path).with_context(named)?,
        path,
    };
    Ok(AdoptedJob {
        names: names(&from.path)?,
        from,
        count,
        size: files.size,
        needs_labels: cell.spec.needs_labels(),
    })
}

/// sha256 of the names of the files below a folder, in order; empty for a file.
fn names(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return Ok(String::new());
    }
    let mut hash = Sha256::new();
    for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            // No image is read there either, which is told when the images are.
            Err(error) if passed_over(&error).is_some() => continue,
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
            hash.update(name.as_os_str().as_encoded_bytes());
            hash.update(b"\n");
        }
    }
    Ok(hex(&hash.finalize()))
}

impl Plannable for AdoptedJob {
    const STAGE: Stage = Stage::Sample;
    const VERSION: u32 = 1;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs<'a> {
            from: &'a str,
            names: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            size: Option<usize>,
        }
        let inputs = Inputs {
            from: &self.from.digest,
            names: &self.names,
            size: self.size,
        };
        Key::of("sample from files", Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        vec![]
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            count: Some(self.count),
            copies: vec![],
        }
    }

    fn cost(&self) -> Cost {
        Cost {
            amount: self.count as f64,
            unit: "images",
        }
    }

    fn inputs(&self) -> Vec<Pinned> {
        vec![self.from.clone()]
    }
}
