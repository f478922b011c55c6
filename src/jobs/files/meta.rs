//! What a reference file says of its making, as JSON in its `meta` array.

use crate::data::resize::crop::Crop;
use crate::experiment::scoring::rules::Preprocessing;
use crate::io::numpy::npz::Npz;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// `shapes`, or the path it was made of.
    pub data: String,
    /// Pixels a side that the images were cropped to; 0 where they were taken as they are.
    pub resolution: usize,
    /// How; None where nothing was cropped, in files from before there was a choice, and for nets trained here, where
    /// it is ADM's way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
    /// sha256 of the feature net's weights.
    pub extractor: String,
    /// How images were resized for Inception; None for a net that does it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
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

    /// A reference of another net, or of other pixels for the same net, measures nothing.
    pub fn fits(&self, weights: &str, how: Option<Preprocessing>) -> Result<()> {
        let cropped = if self.resolution > 0 {
            format!(" --resolution {}", self.resolution)
        } else {
            String::new()
        };
        let short = |digest: &str| digest.get(..8).unwrap_or(digest).to_string();
        ensure!(
            self.extractor == weights,
            "it was made with another feature net (sha256 {}, the one in use has {})\nhint: give the net that made it, or make it again with this one: runner reference {}{cropped} --count {} --weights FEATURES --out FILE",
            short(&self.extractor),
            short(weights),
            self.data,
            self.count
        );
        let named = |how: Option<Preprocessing>| how.map_or("none", Preprocessing::name);
        ensure!(
            self.preprocessing == how,
            "its images were resized by `{}`, the samples are by `{}`\nhint: use a preset that resizes alike, or make it again with `--preset`",
            named(self.preprocessing),
            named(how)
        );
        Ok(())
    }
}
