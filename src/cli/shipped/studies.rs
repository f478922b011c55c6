//! The studies that ship, by name, and which experiment file a text of the command line means.

use crate::cli::screen::terminal::say;
use crate::cli::shipped::share::{share, taken};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// What names of studies begin with, and where these studies lie.
const FOLDERS: [(&str, &str); 4] = [
    ("", "experiments"),
    ("imagenet/", "experiments/imagenet"),
    ("shapes/", "experiments/shapes"),
    ("any_model/", "examples/any_model"),
];

/// Names that are offered for one that is none, at most.
const OFFERED: usize = 3;

/// An experiment file that ships.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Study {
    /// `guidance`, `imagenet/guidance`
    pub name: String,
    pub path: PathBuf,
}

/// Every study below the folder of the shipped files, those of a folder together and sorted.
///
/// # Errors
/// A folder that cannot be read.
pub(crate) fn studies(share: &Path) -> Result<Vec<Study>> {
    let mut all = Vec::new();
    for (before, folder) in FOLDERS {
        let folder = share.join(folder);
        if !folder.is_dir() {
            continue;
        }
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.with_context(|| format!("reading {}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.retain(|path| path.extension() == Some(OsStr::new("toml")));
        paths.sort();
        all.extend(paths.into_iter().filter_map(|path| {
            let stem = path.file_stem()?.to_str()?;
            let name = format!("{before}{stem}");
            Some(Study { name, path })
        }));
    }
    Ok(all)
}

/// The study of that name.
///
/// # Errors
/// None has it, with those whose names are near.
pub(crate) fn study(share: &Path, name: &str) -> Result<Study> {
    let all = studies(share)?;
    let found = all.iter().find(|study| study.name == name).cloned();
    found.with_context(|| format!("no study of that name ships\nhint: {}", offer(name, &all)))
}

/// What a study asks, on one line: its first comment up to the first full stop or colon.
pub(crate) fn about(text: &str) -> String {
    // Editors read the first line, which names the schema.
    let lines = text.lines().skip_while(|line| line.starts_with("#:"));
    let lines = lines.map_while(|line| line.strip_prefix('#'));
    let lines = lines.take_while(|line| !line.trim_start().starts_with("runner "));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let is_last = |word: &&str| word.ends_with(['.', ':']);
    let end = words
        .iter()
        .position(is_last)
        .map_or(words.len(), |n| n + 1);
    let sentence = words[..end].join(" ");
    sentence.trim_end_matches(['.', ':']).to_string()
}

/// The experiment file that `named` means: what is at that path; else `NAMED.toml` here, else the study or the file of that
/// name that ships, either of which is said on stderr.
///
/// # Errors
/// Nothing of that name, with the names that are near; a folder.
pub(crate) fn experiment_file(named: &Path) -> Result<PathBuf> {
    let error = match fs::metadata(named) {
        Ok(found) if !found.is_dir() => return Ok(named.to_path_buf()),
        Ok(_) => return refuse_folder(named),
        Err(error) => error,
    };
    if fs::symlink_metadata(named).is_ok() {
        bail!("cannot be read: {error}");
    }
    let text = named.to_str().unwrap_or_default();
    let here = named.with_file_name(format!(
        "{}.toml",
        named.file_name().unwrap_or_default().display()
    ));
    if is_name(text) && here.is_file() {
        say(&format!("{text}: {} of this folder", here.display()));
        return Ok(here);
    }
    if let Some(file) = taken(named)? {
        return Ok(file);
    }
    let Some(share) = share()? else {
        bail!(
            "cannot be read: {error}\nhint: name an experiment file; no studies ship beside this program"
        );
    };
    let all = studies(&share)?;
    match all.iter().find(|study| study.name == text) {
        Some(study) => {
            say(&format!(
                "{text}: the study that ships with runner, {}",
                study.path.display()
            ));
            Ok(study.path.clone())
        }
        None if is_name(text) => bail!(
            "cannot be read: {error}; no study of that name ships\nhint: {}",
            offer(text, &all)
        ),
        None => bail!("cannot be read: {error}\nhint: {}", offer(text, &all)),
    }
}

fn refuse_folder(named: &Path) -> Result<PathBuf> {
    let mut text = "cannot be read: it is a folder\nhint: name an experiment file".to_string();
    let name = named.to_str().unwrap_or_default();
    let studies = share()?.map(|share| studies(&share)).transpose()?;
    let study = studies.into_iter().flatten().find(|one| one.name == name);
    if let Some(study) = study {
        text += &format!("; the study of that name is {}", study.path.display());
    }
    bail!(text)
}

/// Whether a text names a study rather than a file.
fn is_name(text: &str) -> bool {
    !text.is_empty() && Path::new(text).extension().is_none() && !text.ends_with('/')
}

/// The names that are near, and where all stand.
fn offer(text: &str, all: &[Study]) -> String {
    let near = near(text, all);
    let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    let meant = match names.as_slice() {
        [] => String::new(),
        [one] => format!("the study {one} ships; "),
        [first @ .., last] => format!("the studies {} and {last} ship; ", first.join(", ")),
    };
    format!("{meant}`runner init` lists the studies that ship")
}

/// Studies whose name, or the last part of it, is at most two keystrokes from that of `text` and less than half of it
/// wrong, the nearest first.
fn near(text: &str, all: &[Study]) -> Vec<String> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_string();
    let text = text.strip_suffix(".toml").unwrap_or(text);
    let text = text.strip_prefix("experiments/").unwrap_or(text);
    let apart = |study: &Study| {
        let whole = strsim::damerau_levenshtein(&study.name, text);
        let part = strsim::damerau_levenshtein(&last(&study.name), &last(text));
        (whole.min(part), whole)
    };
    let mut near: Vec<((usize, usize), &Study)> =
        all.iter().map(|study| (apart(study), study)).collect();
    near.retain(|((apart, _), _)| *apart <= 2 && 2 * apart < last(text).len());
    near.sort_by_key(|(apart, _)| *apart);
    let names = near.iter().map(|(_, study)| study.name.clone());
    names.take(OFFERED).collect()
}

#[cfg(test)]
mod tests {
    use super::{Study, about, near};
    use std::path::PathBuf;

    #[test]
    fn names_that_are_near_are_offered_and_strangers_are_not() {
        let all = ["guidance", "steps", "imagenet/guidance"].map(|name| Study {
            name: name.to_string(),
            path: PathBuf::new(),
        });
        let both = ["guidance", "imagenet/guidance"].map(String::from);
        assert_eq!(near("guidence", &all), both);
        assert_eq!(near("experiments/guidance.toml", &all), both);
        assert_eq!(near("stpes", &all), ["steps"]);
        assert_eq!(near("scale", &all), [""; 0]);
        assert_eq!(near("", &all), [""; 0]);
    }

    #[test]
    fn a_study_is_told_by_the_first_sentence_of_its_comment() {
        let text = "# Table 3 at 16 pixels, from\n# two seeds: the net. More.\n#   runner sweep a.toml\nname = \"a\"\n";
        assert_eq!(about(text), "Table 3 at 16 pixels, from two seeds");
        let alone =
            "#:schema ./schema.json\n# What guidance does\n#   runner sweep a.toml\n# More.\n";
        assert_eq!(about(alone), "What guidance does");
        assert_eq!(about("name = \"a\"\n"), "");
    }
}
