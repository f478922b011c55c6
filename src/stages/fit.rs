//! Whether a checkpoint's tensors are those of a net, by name and shape alone: nothing of their data is read.

use crate::experiment::nets::arch::Arch;
use crate::experiment::nets::presets;
use crate::io::checkpoint::Checkpoint;
use crate::nets::inventory;
use anyhow::{Result, bail};
use std::collections::BTreeMap;

/// Tensors that one message names of each kind.
const NAMED: usize = 3;
/// The table of a class-conditional UNet.
const CLASSES: &str = "label_emb.weight";

/// The checkpoint as the net asks for it: as it is, or behind a prefix that all of its names share, as wrappers such as
/// torch's `DataParallel` (`module.`) and `torch.compile` (`_orig_mod.`) leave it.
pub struct Fitting {
    pub file: Checkpoint,
    /// Empty where the names are the net's own.
    pub prefix: String,
}

/// Fits `file` to `arch`, which messages call `name`.
///
/// # Errors
/// Tensors that are missing, not the net's or of another shape: the first few of each, and the preset that would fit.
pub fn fit(file: &Checkpoint, arch: &Arch, name: &str) -> Result<Fitting> {
    let wanted = wanted(arch)?;
    let mut nearest: Option<Misfit> = None;
    for prefix in std::iter::once("").chain(file.prefixes()) {
        let misfit = Misfit::of(file, prefix, &wanted);
        if misfit.count() == 0 {
            return Ok(Fitting {
                file: if prefix.is_empty() {
                    file.clone()
                } else {
                    file.behind(prefix)
                },
                prefix: prefix.to_string(),
            });
        }
        if nearest
            .as_ref()
            .is_none_or(|known| misfit.count() < known.count())
        {
            nearest = Some(misfit);
        }
    }
    let misfit = nearest.unwrap_or_default();
    let hint = match fitting_preset(file) {
        Some((preset, _)) => format!("this checkpoint fits preset `{preset}`"),
        None if misfit.is_conditional() => {
            "the checkpoint is of a net that is told classes: choose a preset with classes, or set `model.arch.classes` to how many".to_string()
        }
        None => format!(
            "`runner inspect {}` prints what the file holds; the model must be the one that was trained",
            file.path().display()
        ),
    };
    bail!(
        "its tensors are not those of `{name}`: {}\nhint: {hint}",
        misfit.told()
    )
}

/// The preset whose every tensor is there in its shape, and no other; and the prefix before the names.
pub fn fitting_preset(file: &Checkpoint) -> Option<(&'static str, String)> {
    let fits = |arch: &Arch| {
        let wanted = wanted(arch)
            .ok()
            .filter(|w| w.len() == file.shapes().len())?;
        let mut prefixes = std::iter::once("").chain(file.prefixes());
        prefixes.find(|prefix| Misfit::of(file, prefix, &wanted).count() == 0)
    };
    presets::NAMES.iter().copied().find_map(|name| {
        let (arch, _) = presets::arch(name)?;
        Some((name, fits(&arch)?.to_string()))
    })
}

fn wanted(arch: &Arch) -> Result<BTreeMap<String, Vec<usize>>> {
    let entries = inventory::tensors(arch)?.into_iter();
    Ok(entries.map(|entry| (entry.name, entry.shape)).collect())
}

/// What differs between a file and a net.
#[derive(Default)]
struct Misfit {
    missing: Vec<String>,
    unexpected: Vec<String>,
    other_shapes: Vec<String>,
}

impl Misfit {
    fn of(file: &Checkpoint, prefix: &str, wanted: &BTreeMap<String, Vec<usize>>) -> Misfit {
        let shape = |name: &str| file.shapes().get(&format!("{prefix}{name}"));
        let mut misfit = Misfit::default();
        for (name, needed) in wanted {
            match shape(name) {
                Some(found) if found == needed => {}
                Some(found) => misfit
                    .other_shapes
                    .push(format!("`{name}` is {found:?} and not {needed:?}")),
                None => misfit.missing.push(format!("`{name}` {needed:?}")),
            }
        }
        for name in file.shapes().keys() {
            let own = name.strip_prefix(prefix).unwrap_or(name);
            if !wanted.contains_key(own) {
                misfit.unexpected.push(format!("`{own}`"));
            }
        }
        misfit
    }

    fn count(&self) -> usize {
        self.missing.len() + self.unexpected.len() + self.other_shapes.len()
    }

    /// Labels are all that the file has beyond the net.
    fn is_conditional(&self) -> bool {
        self.count() == 1 && self.unexpected == [format!("`{CLASSES}`")]
    }

    fn told(&self) -> String {
        let kinds = [
            (&self.missing, "missing"),
            (&self.unexpected, "not the net's"),
            (&self.other_shapes, "of another shape"),
        ];
        let kinds = kinds.into_iter().filter(|(names, _)| !names.is_empty());
        let told = kinds.map(|(names, kind)| {
            let many = names.len();
            let first = names[..many.min(NAMED)].join(", ");
            let more = match many.saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{many} {kind} ({first}{more})")
        });
        told.collect::<Vec<_>>().join(", ")
    }
}
