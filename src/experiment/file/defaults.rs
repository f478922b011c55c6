//! `[defaults]`: the file that an experiment file starts from.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// An experiment file, relative to the one that names it. Its tables are merged key by key with those of this file,
    /// which win; lists and arrays of tables are taken whole from one of the two.
    pub from: PathBuf,
}
