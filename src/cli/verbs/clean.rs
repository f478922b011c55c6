//! `runner clean`: frees the store entries that no given experiment file reaches, and on request the answers beside them.

use crate::cli::cache;
use crate::cli::cache::Cache;
use crate::cli::open::{Choice, open};
use crate::cli::screen::terminal::{bytes, out, say, table};
use crate::run::lease::living::holder_in;
use crate::run::store::ANSWERS;
use crate::run::store::{Entry, Store};
use anyhow::{Context, Result};
use clap::Args;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # Show what no file below needs
  runner clean experiments/*.toml

  # Remove it
  runner clean experiments/*.toml --yes")]
pub struct CleanArgs {
    /// The experiment files, or studies that ship, whose results are kept; name all, also those in subfolders
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Remove also the features and partial results that `score`, `likelihood` and `reconstruct` have stored
    #[arg(long)]
    pub answers: bool,
    /// Remove; without it the command only shows what would be removed
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub cache: Cache,
}

pub fn run(args: &CleanArgs, root: &Path) -> Result<u8> {
    let kept = kept(args, root)?;
    let store = Store::new(root);
    let reached = |entry: &Entry| kept.contains(&(entry.stage, entry.name.clone()));
    let (stay, mut go): (Vec<Entry>, Vec<Entry>) = store
        .entries()?
        .into_iter()
        .partition(|entry| reached(entry) || holder_in(&entry.folder).is_some());
    let answers = store.answers()?;
    if args.answers {
        go.extend(answers);
    } else if !answers.is_empty() {
        say(&format!(
            "{} of answers of `score`, `likelihood` and `reconstruct` stay; `--answers` frees them too",
            bytes(answers.iter().map(Entry::bytes).sum())
        ));
    }
    if go.is_empty() {
        out(&format!(
            "nothing to free: {} results in {} are all needed",
            stay.len(),
            root.display()
        ))?;
        return Ok(0);
    }
    let mut rows = vec![
        ["stage", "key", "size", "made for"]
            .map(String::from)
            .to_vec(),
    ];
    for entry in &go {
        rows.push(vec![
            entry.stage.to_string(),
            entry.name.clone(),
            bytes(entry.bytes()),
            made_for(entry),
        ]);
    }
    out(&table(&rows, &[false, false, true, false]))?;
    let size = bytes(go.iter().map(Entry::bytes).sum());
    let what = format!("{} of {} results, {size}", go.len(), go.len() + stay.len());
    if !args.yes {
        say(&format!("\nwould free {what}; nothing is removed yet"));
        say("\nhint: add `--yes` to remove them");
        return Ok(0);
    }
    for entry in &go {
        store.forget(entry.stage, &entry.name)?;
    }
    say(&format!("\nfreed {what}"));
    Ok(0)
}

/// The stage and the folder's name of every result that the files reach.
fn kept(args: &CleanArgs, root: &Path) -> Result<HashSet<(&'static str, String)>> {
    let mut kept = HashSet::new();
    for file in &args.files {
        let choice = Choice {
            file: file.clone(),
            set: Vec::new(),
            only: Vec::new(),
            cache: args.cache.clone(),
        };
        let plan = open(&choice, root, None)?.plan;
        // Without these files the keys of what reads them are unknown, and their stored results would look unneeded.
        cache::refuse_incomplete(&plan).with_context(|| file.display().to_string())?;
        for item in plan.items {
            kept.insert((item.job.stage().name(), item.key.short().to_string()));
        }
    }
    Ok(kept)
}

/// The name of the experiment, or of the command, that first asked for it.
fn made_for(entry: &Entry) -> String {
    let asked = ANSWERS.iter().find(|(folder, _)| *folder == entry.stage);
    if let Some((_, command)) = asked {
        return format!("runner {command}");
    }
    let table: Option<toml::Table> = entry.job().and_then(|text| toml::from_str(&text).ok());
    let name = table.and_then(|table| Some(table.get("name")?.as_str()?.to_string()));
    name.unwrap_or_else(|| "unknown".to_string())
}
