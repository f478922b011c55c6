//! A net's weights from a file, checked against the architecture they are asked to fill.

use crate::experiment::file::experiment::Model;
use crate::experiment::nets::arch::{Arch, Process};
use crate::experiment::nets::resolve::resolve;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use crate::machine::profile::{Operation, span};
use crate::stages::fit::{Fitting, fit};
use anyhow::{Context, Result};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use std::path::Path;

/// A checkpoint that fits.
pub struct Loaded {
    pub arch: Arch,
    pub process: Option<Process>,
    /// Class names, or none where the file does not say.
    pub classes: Vec<String>,
    /// The one number of DDIM steps that the net was distilled for.
    pub distilled: Option<usize>,
    /// What all names of the file begin with beside the net's own.
    pub prefix: String,
    pub vb: VarBuilder<'static>,
}

/// Opens `path` for `model`, whose preset or whose own card says what the net is.
pub fn load(path: &Path, model: &Model, device: &Device) -> Result<Loaded> {
    let _span = span(Operation::OpenNet);
    let known = look(path, model)?;
    Ok(Loaded {
        arch: known.arch,
        process: known.process,
        classes: known.classes,
        distilled: known.distilled,
        prefix: known.fitting.prefix,
        vb: known.fitting.file.var_builder(DType::F32, device)?,
    })
}

/// A checkpoint that fits, none of whose weights is read.
pub struct Known {
    pub arch: Arch,
    pub process: Option<Process>,
    /// Class names, or none where the file does not say.
    pub classes: Vec<String>,
    /// The one number of DDIM steps that the net was distilled for.
    pub distilled: Option<usize>,
    pub fitting: Fitting,
}

/// As `load`, up to the weights.
///
/// # Errors
/// A file that is no checkpoint, a model that nothing describes, and tensors that are not the net's.
pub fn look(path: &Path, model: &Model) -> Result<Known> {
    let file = Checkpoint::open(path)?;
    let reading = || format!("reading {}", path.display());
    let card = card(&file).with_context(reading)?;
    let (arch, process) = resolve(model, card.as_ref()).with_context(reading)?;
    let name = model.preset.as_deref().unwrap_or("the model");
    let fitting = fit(&file, &arch, name).with_context(reading)?;
    Ok(Known {
        arch,
        process,
        distilled: card.as_ref().and_then(|card| card.distilled),
        classes: card.map(|c| c.classes).unwrap_or_default(),
        fitting,
    })
}
