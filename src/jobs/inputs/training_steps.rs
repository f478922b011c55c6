//! After how many optimizer steps the net that a cell samples was kept.

use crate::experiment::file::experiment::Experiment;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The training steps of cells. A file that several cells name is opened once.
#[derive(Default)]
pub struct TrainingSteps {
    files: HashMap<PathBuf, Option<u64>>,
}

impl TrainingSteps {
    /// Of a net that the cell trains itself, those that `sample` chooses or all of them; of a checkpoint that was written
    /// here, what its card says. None where nobody says: of other checkpoints, and where a program trains or images are
    /// there already.
    pub fn of(&mut self, spec: &Experiment) -> Option<u64> {
        if let Some(train) = spec.net_train() {
            return Some(spec.drawn_after().unwrap_or(train.updates()));
        }
        spec.net_sample()?;
        let path = spec.model.checkpoint.as_ref()?;
        let known = self.files.entry(path.clone());
        *known.or_insert_with(|| of_file(path))
    }
}

/// Cards are in safetensors files alone. A file that is gone or broken says nothing here: whoever needs its weights tells of
/// it.
fn of_file(path: &Path) -> Option<u64> {
    if path.extension()? != "safetensors" {
        return None;
    }
    let file = Checkpoint::open(path).ok()?;
    Some(card(&file).ok()??.steps)
}
