//! A net's weights from a file, checked against the architecture they are asked to fill.

use crate::experiment::file::experiment::Model;
use crate::experiment::nets::arch::{Arch, Process};
use crate::experiment::nets::presets;
use crate::experiment::nets::resolve::resolve;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use crate::nets::inventory;
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use std::collections::BTreeMap;
use std::path::Path;

/// A checkpoint that fits.
pub struct Loaded {
    pub arch: Arch,
    pub process: Option<Process>,
    /// Class names, or none where the file does not say.
    pub classes: Vec<String>,
    pub vb: VarBuilder<'static>,
}

/// Opens `path` for `model`, whose preset or whose own card says what the net is.
pub fn load(path: &Path, model: &Model, device: &Device) -> Result<Loaded> {
    let file = Checkpoint::open(path)?;
    let card = card(&file).with_context(|| format!("reading {}", path.display()))?;
    let (arch, process) =
        resolve(model, card.as_ref()).with_context(|| format!("reading {}", path.display()))?;
    let name = model.preset.as_deref().unwrap_or("the model");
    check(&file, &arch, name).with_context(|| format!("reading {}", path.display()))?;
    let vb = file.var_builder(DType::F32, device)?;
    Ok(Loaded {
        arch,
        process,
        classes: card.map(|c| c.classes).unwrap_or_default(),
        vb,
    })
}

/// Every tensor of the net is there in its shape; else the first that is not, and the preset that would fit.
fn check(file: &Checkpoint, arch: &Arch, name: &str) -> Result<()> {
    let shapes = file.shapes();
    let Some(misfit) = misfit(shapes, arch, name)? else {
        return Ok(());
    };
    match fitting_preset(shapes) {
        Some(preset) => bail!("{misfit}\nhint: this checkpoint fits preset `{preset}`"),
        None => bail!(misfit),
    }
}

fn misfit(
    shapes: &BTreeMap<String, Vec<usize>>,
    arch: &Arch,
    name: &str,
) -> Result<Option<String>> {
    for entry in inventory::tensors(arch)? {
        match shapes.get(&entry.name) {
            Some(found) if *found == entry.shape => {}
            Some(found) => {
                return Ok(Some(format!(
                    "tensor `{}` is {found:?}, `{name}` needs {:?}",
                    entry.name, entry.shape
                )));
            }
            None => {
                return Ok(Some(format!(
                    "tensor `{}` is missing, `{name}` needs it as {:?}",
                    entry.name, entry.shape
                )));
            }
        }
    }
    Ok(None)
}

/// The preset whose every tensor is there in its shape, and no other.
pub fn fitting_preset(shapes: &BTreeMap<String, Vec<usize>>) -> Option<&'static str> {
    presets::NAMES.iter().copied().find(|name| {
        let arch = presets::arch(name).map(|(arch, _)| arch);
        arch.is_some_and(|arch| {
            let count = inventory::tensors(&arch).map(|t| t.len()).unwrap_or(0);
            count == shapes.len() && matches!(misfit(shapes, &arch, name), Ok(None))
        })
    })
}
