//! Scores by their full key, for reports that name it.

use crate::jobs::stage::Stage;
use crate::run::manifest::Manifest;
use crate::run::results::{Score, scores};
use crate::run::store::Store;

/// The stage that leaves scores.
pub fn scored() -> &'static str {
    Stage::Metrics.name()
}

/// The scores under a key; None where the store does not have them whole.
pub fn scores_under(store: &Store, key: &str) -> Option<Vec<Score>> {
    let folder = store.root().join(scored()).join(key.get(..16)?);
    let manifest = Manifest::read(&folder).ok()??;
    let whole = manifest.key.full() == key && manifest.holds(&folder);
    if whole { scores(&folder).ok() } else { None }
}
