//! Where the files that ship with the program lie, and a path that is taken from there.

use crate::cli::screen::terminal::say;
use anyhow::{Result, anyhow, ensure};
use std::path::{Component, Path, PathBuf};

/// The variable that names the folder itself.
const VARIABLE: &str = "RUNNER_SHARE";

const CURE: &str = "set RUNNER_SHARE to the folder that holds `experiments` and `reference_stats`, such as a checkout of fidrunner";

/// The folder of the shipped files, which holds `experiments`, `reference_stats` and `examples`: the one that
/// `RUNNER_SHARE` names, else the one that belongs to the program; none where there is none.
///
/// # Errors
/// A `RUNNER_SHARE` that is no folder.
pub(crate) fn share() -> Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let folder = PathBuf::from(named);
        ensure!(
            folder.is_dir(),
            "{VARIABLE}={}: there is no such folder\nhint: {CURE}, or unset it",
            folder.display()
        );
        return Ok(Some(std::path::absolute(folder)?));
    }
    let program = std::env::current_exe().and_then(|program| program.canonicalize());
    Ok(program.ok().and_then(|program| belonging_to(&program)))
}

/// The same for a command that is nothing without it.
///
/// # Errors
/// Where there is none, with the way to one.
pub(crate) fn needed() -> Result<PathBuf> {
    let share = share()?;
    let program = std::env::current_exe().unwrap_or_default();
    share.ok_or_else(|| {
        anyhow!(
            "the files that ship with runner are not beside {}\nhint: {CURE}",
            program.display()
        )
    })
}

/// `PREFIX/share/fidrunner` of a program in `PREFIX/bin`, or the checkout in whose `target` folder a program was built.
fn belonging_to(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    if folder.ends_with("bin") {
        let share = folder.parent()?.join("share").join("fidrunner");
        if share.is_dir() {
            return Some(share);
        }
    }
    let targets = folder.ancestors().filter(|above| above.ends_with("target"));
    let mut checkouts = targets.filter_map(Path::parent);
    checkouts.find(|root| is_checkout(root)).map(PathBuf::from)
}

fn is_checkout(root: &Path) -> bool {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let ours = |line: &str| line.trim() == "name = \"fidrunner\"";
    manifest.lines().any(ours) && root.join("experiments").is_dir()
}

/// The shipped file that a relative path of the command line means where nothing is there in the working folder, which is
/// then said on stderr; none for every other path.
///
/// # Errors
/// As [`share`].
pub(crate) fn taken(path: &Path) -> Result<Option<PathBuf>> {
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    let below = path.components().all(is_plain);
    if !below || path.as_os_str().is_empty() || std::fs::symlink_metadata(path).is_ok() {
        return Ok(None);
    }
    let there = share()?.map(|share| share.join(path));
    let there = there.filter(|file| file.is_file());
    if let Some(file) = &there {
        say(&format!(
            "{}: the file that ships with runner, {}",
            path.display(),
            file.display()
        ));
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::belonging_to;
    use std::fs::{create_dir_all, write};

    #[test]
    fn a_program_has_the_files_of_its_prefix_or_of_its_checkout() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        assert_eq!(belonging_to(&at("usr/bin/runner")), None);
        create_dir_all(at("usr/share/fidrunner")).unwrap();
        let of_prefix = belonging_to(&at("usr/bin/runner"));
        assert_eq!(of_prefix, Some(at("usr/share/fidrunner")));
        assert_eq!(belonging_to(&at("usr/other/runner")), None);

        let built = at("checkout/target/some/release/runner");
        create_dir_all(at("checkout/experiments")).unwrap();
        assert_eq!(belonging_to(&built), None);
        write(at("checkout/Cargo.toml"), "[package]\nname = \"another\"\n").unwrap();
        assert_eq!(belonging_to(&built), None);
        write(
            at("checkout/Cargo.toml"),
            "[package]\nname = \"fidrunner\"\n",
        )
        .unwrap();
        assert_eq!(belonging_to(&built), Some(at("checkout")));
        assert_eq!(belonging_to(&at("checkout/elsewhere/runner")), None);
    }
}
