//! An experiment file opened from the command line: its text, its sweep, its plan, each error under the file's name.

use crate::cli::cache;
use crate::cli::cache::Cache;
use crate::cli::screen::terminal::say;
use crate::cli::shipped::share::share;
use crate::cli::shipped::studies::experiment_file;
use crate::experiment::catalogue::{SCHEME, find};
use crate::experiment::file::experiment::{Experiment, Sampling, Training};
use crate::experiment::grid::paths::files_read;
use crate::experiment::grid::source::Source;
use crate::experiment::grid::sweep::{Cell, Sweep, sweep_of};
use crate::machine::profile::{Operation, span};
use crate::run::plan::Plan;
use crate::run::store::Store;
use crate::stages::inputs::Looked;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which cells of which file.
#[derive(Args, Debug, Clone)]
pub struct Choice {
    /// The experiment file, or the name of a study that ships (`runner init` lists them)
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
    /// The experiment file that was read.
    pub file: PathBuf,
    pub sweep: Sweep,
    pub store: Store,
    pub plan: Plan,
}

pub fn open(choice: &Choice, store: &Path, until: Option<&str>) -> Result<Opened> {
    let _span = span(Operation::Plan);
    let name = || choice.file.display().to_string();
    let file = experiment_file(&choice.file).with_context(name)?;
    let mut source = Source::read(&file).with_context(name)?;
    source.shipped = share()?;
    let mut sweep = sweep_of(source, &choice.set, &choice.only).with_context(name)?;
    tell_shipped(&mut sweep, &file);
    for cell in Arc::make_mut(&mut sweep.cells) {
        find_home(&mut cell.spec);
        locate(cell, &choice.cache).with_context(name)?;
    }
    let store = Store::new(store);
    let plan = Plan::of(
        &sweep,
        &store,
        until.map(str::parse).transpose().with_context(name)?,
    )
    .with_context(name)?;
    Ok(Opened {
        file,
        sweep,
        store,
        plan,
    })
}

/// Says which files of those that ship an experiment reads that does not ship itself.
fn tell_shipped(sweep: &mut Sweep, file: &Path) {
    let mut files: Vec<PathBuf> = Vec::new();
    for cell in Arc::make_mut(&mut sweep.cells) {
        let Some(share) = cell.shipped.clone() else {
            return;
        };
        if file.starts_with(&share) {
            return;
        }
        for (_, path) in files_read(&mut cell.spec) {
            if let Ok(below) = path.strip_prefix(&share)
                && !files.iter().any(|file| file == below)
            {
                files.push(below.to_path_buf());
            }
        }
    }
    let share = sweep.cells.first().and_then(|cell| cell.shipped.as_ref());
    if let (Some(share), false) = (share, files.is_empty()) {
        let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        say(&format!(
            "{}: of the files that ship with runner, {}",
            files.join(", "),
            share.display()
        ));
    }
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

/// `~/` in every path of the file is the home folder, as it is for a shell.
fn find_home(spec: &mut Experiment) {
    for (_, path) in files_read(spec) {
        *path = cache::at_home(path);
    }
    if let Some(Sampling::Files(files)) = &mut spec.sample {
        files.from = text_at_home(&files.from);
    }
    let guide = spec
        .guidance
        .as_mut()
        .and_then(|guidance| guidance.train.as_mut());
    let own = spec.train.iter_mut().filter_map(|train| match train {
        Training::Net(train) => Some(train),
        Training::Command(_) => None,
    });
    for train in own.chain(guide) {
        train.data = text_at_home(&train.data);
        if let Some(path) = &mut train.export {
            *path = cache::at_home(path);
        }
    }
}

fn text_at_home(text: &str) -> String {
    if text.starts_with("~/") {
        cache::at_home(Path::new(text)).display().to_string()
    } else {
        text.to_string()
    }
}

/// Compares the nets that are still to run with their files, by names and shapes alone.
///
/// # Errors
/// A file that does not fit, with the cell that is the first to name it.
pub fn look_at_nets(opened: &Opened, file: &Path) -> Result<()> {
    let (plan, mut looked) = (&opened.plan, Looked::default());
    for n in plan.to_run() {
        let fits = looked.at(&plan.items[n].job);
        fits.with_context(|| plan.first_cell(n).title())
            .with_context(|| file.display().to_string())?;
    }
    for note in &looked.notes {
        say(note);
    }
    Ok(())
}
