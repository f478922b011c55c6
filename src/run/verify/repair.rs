//! Mends what was found, and nothing else.

use crate::jobs::files::damage::set_aside_because;
use crate::jobs::files::results::TRAINING_LOG;
use crate::run::damage::recover::recover;
use crate::run::lease::record::Found;
use crate::run::manifest::{JOB, Manifest, write_text};
use crate::run::verify::alive::{in_work, is_held};
use crate::run::verify::problem::{Cure, Problem};
use anyhow::{Context, Result, ensure};
use std::fs;

/// Mends one problem; what was done, in a sentence. None where an earlier repair of the same result has done it.
///
/// # Errors
/// Where somebody works on the result, or its folder cannot be written.
pub fn repair(problem: &Problem, living: &[Found]) -> Result<Option<String>> {
    let path = &problem.path;
    if let Some(folder) = problem.cure.folder() {
        // What the dead have left is removed whoever else works there, unless it is somebody's again.
        let busy = match &problem.cure {
            Cure::Remove { .. } => is_held(path, living),
            _ => in_work(folder, living),
        };
        ensure!(
            !busy,
            "{} is being made now; verify it when it is done",
            folder.display()
        );
    }
    match &problem.cure {
        Cure::Recover { folder } => {
            let lines = recover(folder)?;
            Ok((!lines.is_empty()).then(|| lines.join("\n")))
        }
        Cure::WriteJob { folder, text } => {
            write_text(&folder.join(JOB), text)?;
            Ok(Some(format!(
                "{} is written again from its copy",
                path.display()
            )))
        }
        Cure::WriteCopy { folder } => {
            // A repair of the result may have taken its manifest.
            let Some(manifest) = Manifest::read(folder)? else {
                return Ok(None);
            };
            manifest.write(folder)?;
            Ok(Some(format!("{} is written again", path.display())))
        }
        Cure::Unname { folder, name } => {
            let Some(mut manifest) = Manifest::read(folder)? else {
                return Ok(None);
            };
            ensure!(name == TRAINING_LOG, "{name} is read by others");
            if path.exists() {
                set_aside_because(path, &problem.what)?;
            }
            manifest.files.remove(name);
            manifest.write(folder)?;
            Ok(Some(format!(
                "{} is no longer named by the manifest",
                path.display()
            )))
        }
        Cure::SetAside { .. } => {
            set_aside_because(path, &problem.what)?;
            Ok(Some(format!("{} is now {0}.broken", path.display())))
        }
        Cure::Remove { .. } => {
            fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
            Ok(Some(format!("{} is removed", path.display())))
        }
        Cure::Command(_) => Ok(None),
    }
}
