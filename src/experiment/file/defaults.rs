//! `[defaults]`: the file that an experiment file starts from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The file that this one starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The path of an experiment file, relative to the one that names it. Its tables are merged key by key with those of
    /// this file, which win; lists and arrays of tables are taken whole from one of the two.
    #[schemars(example = &"base.toml")]
    pub from: PathBuf,
}
