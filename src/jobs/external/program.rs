//! A program as a job holds it: its arguments with every key of the file filled, its files by their contents.

use crate::experiment::external::check::timeout;
use crate::experiment::file::experiment::Program;
use crate::experiment::grid::sweep::Cell;
use crate::jobs::external::inputs::{Input, inputs};
use crate::jobs::inputs::pinned::Pinned;
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub struct PlannedProgram {
    /// The program and its arguments. `{name}` is left where a value is known only when it is started; braces that are
    /// meant are still doubled.
    pub command: Vec<String>,
    pub inputs: Vec<Input>,
    /// As `command`.
    pub env: BTreeMap<String, String>,
    pub pass: Vec<String>,
    /// How many devices it gets for itself.
    pub devices: usize,
    pub timeout: Option<Duration>,
    pub retries: u32,
    /// The cell's values as JSON, for a program that reads them from `{config}`.
    pub config: Option<String>,
    /// `{cell}`: the position in the grid of the first cell that asks for it.
    pub cell: usize,
}

/// What of a program reaches a key.
#[derive(Serialize)]
pub(crate) struct ProgramInputs<'a> {
    command: &'a [String],
    /// Name and sha256.
    inputs: Vec<(&'a str, &'a str)>,
    env: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a str>,
}

impl PlannedProgram {
    /// The program of `table` in a cell.
    ///
    /// # Errors
    /// An input that names no file.
    pub fn of(table: &str, program: &Program, cell: &Cell) -> Result<PlannedProgram> {
        let key = format!("{table}.inputs");
        let time = program.timeout.as_ref().map(|text| timeout(table, text));
        Ok(PlannedProgram {
            command: program.command.clone(),
            inputs: inputs(&key, &program.inputs, &cell.folders)?,
            env: program.env.clone(),
            pass: program.pass.clone(),
            devices: program.devices,
            timeout: time.transpose()?,
            retries: program.retries,
            config: if program.uses("config") {
                Some(values(cell)?)
            } else {
                None
            },
            cell: cell.index,
        })
    }

    pub(crate) fn inputs(&self) -> ProgramInputs<'_> {
        let inputs = self.inputs.iter();
        let inputs = inputs.map(|input| (input.name.as_str(), input.file.digest.as_str()));
        ProgramInputs {
            command: &self.command,
            inputs: inputs.collect(),
            env: &self.env,
            config: self.config.as_deref(),
        }
    }

    pub(crate) fn files(&self) -> Vec<Pinned> {
        self.inputs.iter().map(|input| input.file.clone()).collect()
    }
}

/// Keys of `[sample]` and `[train]` that say how a program is run, not what it makes.
const RUNNING: [&str; 11] = [
    "command", "inputs", "env", "pass", "devices", "timeout", "retries", "collect", "count",
    "part", "batch",
];

/// The values of a cell that a program may want, as a JSON object by table.
fn values(cell: &Cell) -> Result<String> {
    let mut table = toml::Table::try_from(&cell.spec).context("writing the values of a cell")?;
    for idle in ["name", "eval", "report", "upsample"] {
        table.remove(idle);
    }
    for stage in ["sample", "train"] {
        if let Some(toml::Value::Table(inner)) = table.get_mut(stage) {
            inner.retain(|key, _| !RUNNING.contains(&key));
        }
    }
    Ok(serde_json::to_string(&table)?)
}
