//! The files that a command names as its `inputs`: each with its contents, under the name that the experiment gives it.

use crate::data::container::in_folder::passed_over;
use crate::experiment::grid::paths::{found, looked_in};
use crate::experiment::grid::template::fill;
use crate::experiment::key::digest_file;
use crate::jobs::inputs::pinned::Pinned;
use anyhow::{Context, Result, bail, ensure};
use glob::{MatchOptions, Pattern};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// `*` stays within a folder, `**` does not.
pub const WHOLE_NAMES: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// A file of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// As the experiment names it, whichever folder it was found in.
    pub name: String,
    pub file: Pinned,
}

/// The files that `asked` names under `key` (`sample.inputs`), by name: a file as it is, a folder with all below it, a pattern
/// (`*`, `**`, `?`, `[ab]`) with what fits. Paths are taken from the working folder and, where nothing is there, from
/// `folders`, the experiment file's own first. Hidden files and `__pycache__` below folders do not count.
///
/// # Errors
/// What names no file, or a file that cannot be read.
pub fn inputs(key: &str, asked: &[String], folders: &[PathBuf]) -> Result<Vec<Input>> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for one in asked {
        let one = &plain(key, one)?;
        let there = matching(one, folders).with_context(|| format!("{key} = \"{one}\""))?;
        ensure!(
            !there.is_empty(),
            "{key}: \"{one}\" names no file{}",
            looked_in(folders, None).map_or_else(String::new, |places| format!("\nhint: {places}"))
        );
        files.extend(there);
    }
    let files: Vec<(String, PathBuf)> = files.into_iter().collect();
    let pin = |(name, path): (String, PathBuf)| {
        let digest = digest_file(&path).with_context(|| format!("{key}: \"{name}\""))?;
        let file = Pinned { path, digest };
        Ok(Input { name, file })
    };
    files.into_par_iter().map(pin).collect()
}

/// A text without names that only a running command knows, its doubled braces as single ones.
///
/// # Errors
/// Such a name.
pub fn plain(key: &str, text: &str) -> Result<String> {
    let unknown =
        |name: &str| bail!("{key} = \"{text}\": {{{name}}} is known only when the command runs");
    fill(text, &mut { unknown })
}

/// Names and paths of the files that one entry means.
fn matching(one: &str, folders: &[PathBuf]) -> Result<Vec<(String, PathBuf)>> {
    let whole = found(Path::new(one), folders);
    if whole.is_file() {
        return Ok(vec![(one.to_string(), whole)]);
    }
    if whole.is_dir() {
        return below(&whole, one.trim_end_matches('/'), |_| true);
    }
    let start: PathBuf = Path::new(one)
        .components()
        .take_while(|part| !is_pattern(*part))
        .collect();
    let pattern = Pattern::new(one)?;
    let name = start.display().to_string();
    let fits = |name: &str| pattern.matches_with(name, WHOLE_NAMES);
    let here = PathBuf::from(".");
    for folder in [&here].into_iter().chain(folders) {
        let there = below(&folder.join(&start), &name, fits)?;
        if !there.is_empty() {
            return Ok(there);
        }
    }
    Ok(Vec::new())
}

fn is_pattern(part: Component) -> bool {
    part.as_os_str().to_string_lossy().contains(['*', '?', '['])
}

/// The files below `root` whose names, `start` and the way from there, are wanted.
fn below(
    root: &Path,
    start: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    if !root.is_dir() {
        return Ok(files);
    }
    let idle = |name: &str| name.starts_with('.') || name == "__pycache__";
    let walk = WalkDir::new(root).follow_links(true).into_iter();
    let walk = walk
        .filter_entry(|entry| entry.depth() == 0 || !idle(&entry.file_name().to_string_lossy()));
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            // A link to nothing decides no outcome.
            Err(error) if passed_over(&error).is_some() => continue,
            Err(error) => return Err(error).with_context(|| format!("reading {}", root.display())),
        };
        let way = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let name = Path::new(start).join(way).display().to_string();
        if entry.file_type().is_file() && wanted(&name) {
            files.push((name, entry.into_path()));
        }
    }
    Ok(files)
}
