//! Images against a reference, scored as a published tool scores them.

use crate::experiment::key::digest_file;
use crate::experiment::scoring::preset::Preset;
use crate::io::statistics::Which;
use crate::jobs::context::Watch;
use crate::jobs::sharing::claims::Alone;
use crate::metrics::score::Score;
use crate::stages::describe::described::PART;
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::images::Share;
use crate::stages::score::scorer::Scorer;
use crate::stages::score::sides::{Reference, Samples, Setup, compare};
use anyhow::{Context, Result};
use candle_core::Device;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A feature net, and whose rules its features are scored by.
pub struct Evaluation {
    extractor: Extractor,
    /// sha256 of the net's weights.
    weights: String,
    preset: Preset,
    store: PathBuf,
}

impl Evaluation {
    /// `weights` is FID's Inception in any of its published files, or a feature net that was trained here. Scores follow
    /// the ADM evaluator's rules unless [`Evaluation::preset`] names others; a net that was trained here has its own.
    ///
    /// Features are kept in `store`, named by the content of the images, so that nothing is described twice.
    ///
    /// # Errors
    /// A file that cannot be read or holds no feature net.
    pub fn open(weights: &Path, store: &Path, device: &Device) -> Result<Evaluation> {
        Ok(Evaluation {
            extractor: Extractor::open(weights, None, device)?,
            weights: digest_file(weights)?,
            preset: Preset::default(),
            store: store.to_path_buf(),
        })
    }

    /// Whose numbers.
    pub fn preset(self, preset: Preset) -> Evaluation {
        Evaluation { preset, ..self }
    }

    /// Every metric that the preset's tool prints of `samples` (a folder, tar, zip, npz or npy of images) against
    /// `reference` (images too, or statistics of any evaluator), each with its 95 % interval, in the tool's order. A
    /// metric that this reference cannot give is left out.
    ///
    /// # Errors
    /// Files that cannot be read, fewer images than a score needs, and features of another net than the reference's.
    pub fn score(&self, samples: &str, reference: &str) -> Result<Vec<Score>> {
        let rules = self.extractor.space().rules_of_images(self.preset);
        let setup = Setup {
            extractor: &self.extractor,
            weights: &self.weights,
            rules: &[rules],
            store: &self.store,
            part: PART,
            share: Share::Whole,
            claims: &Alone,
        };
        let watch = Watch {
            tell: &|_| {},
            warn: &|_| {},
            stop: &AtomicBool::new(false),
        };
        const WHOLE: &str = "a part was left to another machine";
        let reference = Reference::open(&setup, reference, Which::default())?;
        let samples = Samples::describe(&setup, &[samples.to_string()], watch)?;
        let samples = samples.context(WHOLE)?;
        let target = reference.describe(&setup, watch)?.context(WHOLE)?;
        let compared = compare(&setup, &samples, &target)?;
        let side = compared
            .sides
            .first()
            .context("no preprocessing is asked for")?;
        let measured = Scorer::new(side.samples, side.real).measure(&rules, &|_| {})?;
        let numbers = measured
            .into_iter()
            .filter_map(|m| Some(m.number.ok()?.score));
        Ok(numbers.collect())
    }
}
