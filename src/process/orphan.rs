//! Commands whose run was killed: noted down while they run, found and ended by the next run.

use crate::io::disk::{read_json, write_json};
use crate::process::group::{self, Member};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Noted {
    mark: String,
}

/// The note of a running command; it goes with this value.
pub struct Record {
    path: PathBuf,
}

impl Record {
    /// Notes down, at `path`, the command whose processes carry `mark`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(path: &Path, mark: &str) -> Result<Record> {
        let mark = mark.to_string();
        write_json(path, &Noted { mark })?;
        Ok(Record {
            path: path.to_path_buf(),
        })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // A note that stays names processes that are gone, and ends none.
        let _ = fs::remove_file(&self.path);
    }
}

/// Ends what still runs on this machine of the command that is noted down at `path`, if one is. Its processes are known by
/// the mark in their environment, so that no other is ended in their place.
///
/// # Errors
/// None yet: a note that cannot be read is of no command.
pub fn end_recorded(path: &Path, grace: Duration) -> Result<usize> {
    let Ok(noted) = read_json::<Noted>(path) else {
        return Ok(0);
    };
    let ended = group::end(
        &Member {
            leader: 0,
            mark: &noted.mark,
        },
        grace,
    );
    let _ = fs::remove_file(path);
    Ok(ended)
}
