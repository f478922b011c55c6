//! `runner report --bundle`: what a bundle tells of the command that made it, and its one file.

use crate::cli::open::{Choice, Opened};
use crate::io::disk::{read_bounded, write_atomic};
use crate::report::paper::bundle::{Given, zip};
use crate::report::rows::input::Report;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// The largest experiment file that is taken into a bundle.
const LARGEST: u64 = 16 << 20;
/// What stands for the bundle in the command that it tells, so that its name changes nothing in it.
const ITSELF: &str = "FILE.zip";

/// What goes into the bundle at `path` beside the report.
///
/// # Errors
/// Where `path` is a folder, or the experiment file cannot be read.
pub fn given(
    opened: &Opened,
    (choice, sort): (&Choice, Option<&str>),
    path: &Path,
) -> Result<Given> {
    ensure!(
        !path.is_dir(),
        "--bundle {} is a folder; allowed: the name of a file\nhint: --bundle {}",
        path.display(),
        path.join("paper.zip").display()
    );
    Ok(Given {
        experiment: read_bounded(&opened.file, LARGEST)?,
        command: command(choice, sort),
    })
}

/// Writes the bundle, whole or not at all.
///
/// # Errors
/// Where the report cannot be made or the file cannot be written.
pub fn write(report: &Report, given: &Given, path: &Path) -> Result<Vec<PathBuf>> {
    let bytes = zip(report, given)?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    write_atomic(path, |out| Ok(out.write_all(&bytes)?))?;
    Ok(vec![path.to_path_buf()])
}

/// The command in a shell's words.
fn command(choice: &Choice, sort: Option<&str>) -> String {
    let mut words = vec![choice.file.display().to_string()];
    let mut add = |flag: &str, value: &str| words.extend([flag.to_string(), value.to_string()]);
    choice.set.iter().for_each(|value| add("--set", value));
    choice.only.iter().for_each(|value| add("--only", value));
    sort.iter().for_each(|value| add("--sort", value));
    add("--bundle", ITSELF);
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("runner report {}", words.join(" "))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./=,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        assert_eq!(quoted("a/b-1.toml"), "a/b-1.toml");
        assert_eq!(quoted("grid.train.seed=[0,1]"), "'grid.train.seed=[0,1]'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
