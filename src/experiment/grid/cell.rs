//! One grid point of an experiment file.

use crate::experiment::check::typo::told;
use crate::experiment::external::forms::choose;
use crate::experiment::external::used;
use crate::experiment::file::experiment::Experiment;
use crate::experiment::grid::axis::{Axis, short_names, written};
use crate::experiment::grid::case::CASE;
use crate::experiment::grid::fill::{Written, fill_texts};
use crate::experiment::grid::overlay::{assign, leaf, show};
use anyhow::{Result, anyhow};
use serde::Deserialize;
use std::collections::HashSet;
use std::path::PathBuf;

/// One grid point: the experiment with its grid resolved, and where it stands.
#[derive(Clone, Debug)]
pub struct Cell {
    /// n in the whole grid, whatever `--only` keeps.
    pub index: usize,
    /// Every axis, and every list of a zip and every key of the cases, by full dotted key, in file order; texts filled.
    /// Without the keys that the cell's case leaves out.
    pub at: Vec<(String, toml::Value)>,
    /// Full keys of `at` that label the cell: each grid key, and of each zip and of the cases the
    /// first and what else tells it apart.
    pub axes: Vec<String>,
    /// Without `grid`, `zip`, `case`, `chart`, `published`, `claim` and `slurm`.
    pub spec: Experiment,
    /// Where relative paths of the file are looked for after the working folder; those of `spec` that lead somewhere from
    /// here have the folder before them.
    pub folders: Vec<PathBuf>,
    /// Where nets, weights and references are looked for last: the folder of the files that ship with the program.
    pub shipped: Option<PathBuf>,
}

impl Cell {
    /// `steps=25 scale=0.5`; empty where the file has no grid.
    pub fn label(&self) -> String {
        let names = short_names(&self.axes);
        let parts = names.iter().zip(&self.axes);
        let parts = parts.filter_map(|(n, axis)| Some(format!("{n}={}", show(self.get(axis)?))));
        let parts: Vec<String> = parts.collect();
        parts.join(" ")
    }

    /// The cell's value on an axis, by its full key.
    pub fn get(&self, key: &str) -> Option<&toml::Value> {
        self.at.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// `cell 4 (steps=50 scale=0)`, or the experiment's name where there is no grid.
    pub fn title(&self) -> String {
        if self.at.is_empty() {
            self.spec.name.clone()
        } else {
            format!("cell {} ({})", self.index, self.label())
        }
    }
}

/// The cell at `index` of the whole grid, labelled by the keys `labels`, and which of its texts are written otherwise in the file.
pub fn cell(
    table: &toml::Table,
    axes: &[Axis],
    labels: &[String],
    index: usize,
) -> Result<(Cell, Vec<Written>)> {
    let mut table = table.clone();
    for of_all_cells in ["grid", "zip", CASE] {
        table.remove(of_all_cells);
    }
    let mut digits = vec![0; axes.len()];
    let mut rest = index;
    for (digit, axis) in digits.iter_mut().zip(axes).rev() {
        *digit = rest % axis.len();
        rest /= axis.len();
    }
    let mut at = Vec::new();
    for (axis, digit) in axes.iter().zip(digits) {
        for (key, values) in &axis.lists {
            let Some(value) = &values[digit] else {
                continue;
            };
            if key != CASE {
                assign(&mut table, key, value.clone())?;
            }
            at.push((key.clone(), value.clone()));
        }
    }
    let mut cell = Cell {
        index,
        at,
        axes: labels.to_vec(),
        spec: Experiment::default(),
        folders: Vec::new(),
        shipped: None,
    };
    choose(&mut table, axes);
    used::check(&table, axes)?;
    let case = cell.get(CASE).and_then(toml::Value::as_str);
    let written = fill_texts(&mut table, case);
    for (key, value) in &mut cell.at {
        if let Some(filled) = leaf(&table, key) {
            value.clone_from(filled);
        }
    }
    let spec = written.and_then(|written| {
        let spec = Experiment::deserialize(table).map_err(|error| anyhow!(told(&error)))?;
        Ok((spec, written))
    });
    match spec {
        Ok((spec, written)) => {
            cell.spec = spec;
            Ok((cell, written))
        }
        Err(error) if axes.is_empty() => Err(error),
        Err(error) => Err(error.context(cell.title())),
    }
}

/// The values that the keys of all axes have in `cells`, each once: those of the file with their texts filled.
pub fn values_seen(axes: &[Axis], cells: &[Cell]) -> Vec<(String, Vec<toml::Value>)> {
    let keys = axes.iter().flat_map(|axis| &axis.lists).map(|(key, _)| key);
    let seen = keys.map(|key| {
        let mut before = HashSet::new();
        let values = cells.iter().filter_map(|cell| cell.get(key));
        let values = values.filter(|value| before.insert(written(value)));
        (key.clone(), values.cloned().collect())
    });
    seen.collect()
}
