//! The weights that stay of a training, and the record of them.

use crate::experiment::nets::arch::Card;
use crate::io::checkpoint;
use crate::io::disk::{read_json, write_json};
use crate::jobs::files::results::{CHECKPOINTS, Kept};
use anyhow::Result;
use candle_core::Tensor;
use std::path::Path;

/// What an earlier run kept in `folder` up to `step`; what lies past it is made again.
pub fn until(folder: &Path, step: u64) -> Result<Vec<Kept>> {
    let record = folder.join(CHECKPOINTS);
    if !record.exists() {
        return Ok(Vec::new());
    }
    let mut kept: Vec<Kept> = read_json(&record)?;
    kept.retain(|k| k.steps <= step);
    Ok(kept)
}

/// Writes weights to the file that `note` names, and the note behind those of `kept`.
pub fn keep(
    folder: &Path,
    kept: &mut Vec<Kept>,
    note: Kept,
    weights: &[(String, Tensor)],
    card: &Card,
) -> Result<()> {
    write(&folder.join(&note.file), weights, card)?;
    kept.retain(|k| k.file != note.file);
    kept.push(note);
    write_json(&folder.join(CHECKPOINTS), kept)
}

/// Writes weights with what they say of themselves.
pub fn write(path: &Path, weights: &[(String, Tensor)], card: &Card) -> Result<()> {
    let metadata = [("runner".to_string(), serde_json::to_string(card)?)].into();
    checkpoint::write(path, weights, &metadata)
}
