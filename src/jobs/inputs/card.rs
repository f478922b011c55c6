//! The model card in a checkpoint that was written here; it is read without the tensors.

use crate::experiment::nets::arch::Card;
use crate::io::checkpoint::Checkpoint;
use anyhow::{Context, Result};

/// What the file says of itself; None where it was not written here.
///
/// # Errors
/// Metadata that is no card.
pub fn card(file: &Checkpoint) -> Result<Option<Card>> {
    let text = file.metadata().get("runner");
    text.map(|t| serde_json::from_str(t).context("its `runner` metadata is not a model card"))
        .transpose()
}
