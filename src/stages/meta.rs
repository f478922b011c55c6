//! What a reference file says of its making, as JSON in its `meta` array.

use crate::io::npz::Npz;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// `shapes`, or the path it was made of.
    pub data: String,
    pub resolution: usize,
    /// sha256 of the feature net's weights.
    pub extractor: String,
    /// Images behind the moments.
    pub count: usize,
    /// Images behind the moments of the pixel-Gaussian baseline.
    pub gaussian: usize,
}

impl Meta {
    pub fn read(file: &mut Npz) -> Result<Self> {
        let text = file
            .u8("meta")
            .context("not a reference of `runner reference`")?
            .data;
        serde_json::from_slice(&text).context("its `meta` is not what `runner reference` writes")
    }
}
