//! What a program wrote: which of its files are the images.

use crate::data::gallery::Gallery;
use crate::jobs::external::inputs::WHOLE_NAMES;
use crate::stages::external::call::remove;
use anyhow::{Context, Result, bail, ensure};
use glob::Pattern;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Endings of files that hold many images.
const ARRAYS: [&str; 2] = ["npz", "npy"];
/// Endings of pictures, as far as counting goes; which file is one is told by its content.
const PICTURES: [&str; 8] = ["png", "jpg", "jpeg", "webp", "bmp", "jfif", "jpe", "dib"];

/// The folder beside that of the output which holds the files that fit a pattern.
pub const COLLECTED: &str = "collected";

/// Images below a folder, and what is to be said of them.
pub struct Collected {
    pub gallery: Gallery,
    /// Its images in the natural order of their names.
    pub order: Vec<usize>,
    pub remarks: Vec<String>,
}

/// The images below `out`: the files that fit `pattern`, or all pictures, or the one array file where there are none.
///
/// # Errors
/// No image, several array files, or a picture that is none.
pub fn collect(out: &Path, pattern: Option<&str>) -> Result<Collected> {
    let mut remarks = Vec::new();
    let chosen = match pattern {
        Some(pattern) => fitting(out, pattern)?,
        None => files(out)?,
    };
    let has = |endings: &[&str]| {
        let fits = chosen.iter().filter(|path| ends_with(path, endings));
        fits.cloned().collect::<Vec<PathBuf>>()
    };
    let (pictures, arrays) = (has(&PICTURES), has(&ARRAYS));
    let place = match (pictures.is_empty(), arrays.as_slice()) {
        (true, [one]) => one.clone(),
        (true, [_, _, ..]) => bail!(
            "it wrote {} array files: {}\nhint: say which with `collect`",
            arrays.len(),
            named(&arrays)
        ),
        (_, arrays) => {
            if !arrays.is_empty() && pattern.is_none() {
                remarks.push(format!(
                    "the command wrote {} beside its pictures; the pictures were taken",
                    named(arrays)
                ));
            }
            match pattern {
                Some(_) => gathered(out, &chosen)?,
                None => out.to_path_buf(),
            }
        }
    };
    let lossy = pictures
        .iter()
        .filter(|p| ends_with(p, &["jpg", "jpeg", "jfif", "jpe"]));
    let lossy = lossy.count();
    if lossy > 0 {
        remarks.push(format!(
            "{lossy} of the command's images are JPEGs, whose losses are scored with the model's own; PNG has none"
        ));
    }
    let gallery = Gallery::open(&[place.to_string_lossy()])
        .context("what it wrote cannot be read as images")?;
    Ok(Collected {
        order: gallery.natural_order(),
        gallery,
        remarks,
    })
}

/// How many images there seem to be below `out`, by the names of files; none where arrays hold them.
pub fn seen(out: &Path, pattern: Option<&str>) -> usize {
    let files = match pattern {
        Some(pattern) => fitting(out, pattern),
        None => files(out),
    };
    let files = files.unwrap_or_default();
    files
        .iter()
        .filter(|path| ends_with(path, &PICTURES))
        .count()
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| endings.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

fn named(files: &[PathBuf]) -> String {
    let name = |path: &PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut names: Vec<String> = files.iter().take(3).map(name).collect();
    if files.len() > 3 {
        names.push(format!("and {} more", files.len() - 3));
    }
    names.join(", ")
}

/// Every file below `out`, without links out of it.
fn files(out: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(out).sort_by_file_name() {
        let entry = entry.with_context(|| format!("reading {}", out.display()))?;
        if entry.file_type().is_file() {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

fn fitting(out: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    let pattern = Pattern::new(pattern)?;
    let fits = |path: &PathBuf| {
        let way = path.strip_prefix(out);
        way.is_ok_and(|way| pattern.matches_path_with(way, WHOLE_NAMES))
    };
    Ok(files(out)?.into_iter().filter(fits).collect())
}

/// The chosen files in a folder of their own beside `out`, under the names that they have.
fn gathered(out: &Path, chosen: &[PathBuf]) -> Result<PathBuf> {
    let folder = out.with_file_name(COLLECTED);
    remove(&folder)?;
    ensure!(!chosen.is_empty(), "no file that it wrote fits `collect`");
    for path in chosen {
        let way = path.strip_prefix(out)?;
        let to = folder.join(way);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        // Not every file system has links to files.
        if fs::hard_link(path, &to).is_err() {
            fs::copy(path, &to).with_context(|| format!("copying {}", path.display()))?;
        }
    }
    Ok(folder)
}
