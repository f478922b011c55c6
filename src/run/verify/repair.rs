//! Mends what was found, and nothing else.

use crate::jobs::files::damage::{GONE, set_aside_because};
use crate::jobs::files::results::TRAINING_LOG;
use crate::run::damage::recover::recover;
use crate::run::lease::living::holder_in as holder;
use crate::run::manifest::{JOB, Manifest, write_text};
use crate::run::verify::problem::{Cure, Problem};
use anyhow::{Context, Result, ensure};
use std::fs;

/// Mends one problem; what was done, in a sentence. None where an earlier repair of the same result has done it.
///
/// # Errors
/// Where somebody works on the result, or its folder cannot be written.
pub fn repair(problem: &Problem) -> Result<Option<String>> {
    let path = &problem.path;
    if let Some(folder) = problem.cure.folder()
        && let Some(holder) = holder(folder)
    {
        anyhow::bail!(
            "{} is being made by process {} on {}",
            folder.display(),
            holder.pid,
            holder.host
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
            if problem.what == GONE {
                return Ok(None);
            }
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
