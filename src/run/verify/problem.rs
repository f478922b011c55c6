//! One thing that is wrong, and what mends it.

use std::path::{Path, PathBuf};

pub use crate::jobs::files::damage::GONE;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    pub cure: Cure,
}

/// What mends a problem.
#[derive(Clone, Debug, PartialEq)]
pub enum Cure {
    /// The files of a result that are damaged are set aside, or written again from their copies.
    Recover { folder: PathBuf },
    /// `job.toml` is written again from its copy.
    WriteJob { folder: PathBuf, text: String },
    /// The copy of manifest and short files is written again.
    WriteCopy { folder: PathBuf },
    /// The manifest forgets a file that nothing reads.
    Unname { folder: PathBuf, name: String },
    /// It is renamed to `NAME.broken`.
    SetAside { folder: PathBuf },
    /// It is removed: half a file, or what a dead process has left.
    Remove { folder: PathBuf },
    /// This command.
    Command(String),
}

impl Cure {
    /// The folder that nobody may be working in while it is mended.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Cure::Recover { folder }
            | Cure::WriteJob { folder, .. }
            | Cure::WriteCopy { folder }
            | Cure::Unname { folder, .. }
            | Cure::SetAside { folder }
            | Cure::Remove { folder } => Some(folder),
            Cure::Command(_) => None,
        }
    }
}
