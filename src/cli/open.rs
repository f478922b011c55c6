//! An experiment file opened from the command line: its text, its sweep, its plan, each error under the file's name.

use crate::cli::cache;
use crate::cli::cache::Cache;
use crate::experiment::catalogue::{SCHEME, find};
use crate::experiment::grid::paths::files_read;
use crate::experiment::grid::source::Source;
use crate::experiment::grid::sweep::{Cell, Sweep, sweep_of};
use crate::run::plan::Plan;
use crate::run::store::Store;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};

/// Which cells of which file.
#[derive(Args, Debug, Clone)]
pub struct Choice {
    /// The experiment file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Override a value of the file, such as `sample.count=1000`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Keep these cells of the grid, such as `guidance.scale=0,4`
    #[arg(long, value_name = "KEY=VALUE[,VALUE]")]
    pub only: Vec<String>,
    #[command(flatten)]
    pub cache: Cache,
}

pub struct Opened {
    pub sweep: Sweep,
    pub store: Store,
    pub plan: Plan,
}

pub fn open(choice: &Choice, store: &Path, until: Option<&str>) -> Result<Opened> {
    let name = || choice.file.display().to_string();
    let source = Source::read(&choice.file).with_context(name)?;
    let mut sweep = sweep_of(source, &choice.set, &choice.only).with_context(name)?;
    for cell in &mut sweep.cells {
        locate(cell, &choice.cache).with_context(name)?;
    }
    let store = Store::new(store);
    let plan = Plan::of(
        &sweep,
        &store,
        until.map(str::parse).transpose().with_context(name)?,
    )
    .with_context(name)?;
    Ok(Opened { sweep, store, plan })
}

/// `fetch:NAME` becomes the path of the fetched file; what is not in the cache keeps its name, for the plan to tell.
fn locate(cell: &mut Cell, cache: &Cache) -> Result<()> {
    let there = |path: &Path| -> Result<Option<PathBuf>> {
        let Some(name) = path.to_str().and_then(|text| text.strip_prefix(SCHEME)) else {
            return Ok(None);
        };
        let path = cache::folder(cache)?.join(find(name)?.file());
        Ok(path.exists().then_some(path))
    };
    for (_, path) in files_read(&mut cell.spec) {
        if let Some(found) = there(path)? {
            *path = found;
        }
    }
    for (_, value) in &mut cell.at {
        let path = value.as_str().map(Path::new);
        if let Some(found) = path.map(there).transpose()?.flatten() {
            *value = toml::Value::String(found.display().to_string());
        }
    }
    Ok(())
}
