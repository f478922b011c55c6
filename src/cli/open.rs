//! An experiment file opened from the command line: its text, its sweep, its plan, each error under the file's name.

use crate::cli::args::Choice;
use crate::run::plan::Plan;
use crate::run::store::Store;
use crate::spec::grid::{Sweep, sweep};
use anyhow::{Context, Result, anyhow};
use std::path::Path;

pub struct Opened {
    pub sweep: Sweep,
    pub store: Store,
    pub plan: Plan,
}

pub fn open(choice: &Choice, store: &Path, until: Option<&str>) -> Result<Opened> {
    let name = || choice.file.display().to_string();
    let text = std::fs::read_to_string(&choice.file)
        .map_err(|error| anyhow!("cannot be read: {error}"))
        .with_context(name)?;
    let sweep = sweep(&text, &choice.set, &choice.only).with_context(name)?;
    let store = Store::new(store);
    let plan = Plan::of(&sweep, &store, until).with_context(name)?;
    Ok(Opened { sweep, store, plan })
}
