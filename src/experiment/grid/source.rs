//! The table that an experiment file holds, with what it starts from (`[defaults] from`) below its own values.

use crate::experiment::check::typo::told;
use crate::experiment::file::experiment::{
    Adopted, CommandSample, CommandTrain, Eval, Evaluation, Experiment, Sample, Sampling, Train,
    Training,
};
use crate::experiment::grid::axes::axis_keys;
use crate::experiment::grid::axis::NO_VALUES;
use crate::experiment::grid::fill::may_be_supplied;
use crate::experiment::grid::overlay::{leaves, show};
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeTable;

/// An experiment file as read.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Without `[defaults]`.
    pub table: toml::Table,
    /// The folder of the file and those of the files that it starts from; without the working folder.
    pub folders: Vec<PathBuf>,
    /// The folder of the files that ship with the program, where the caller knows it.
    pub shipped: Option<PathBuf>,
}

impl Source {
    /// The file at `path`.
    ///
    /// # Errors
    /// A file that cannot be read or is none of an experiment, with line and column; files that start from each other.
    pub fn read(path: &Path) -> Result<Source> {
        read(path, &mut Vec::new())
    }

    /// An experiment file's text. It stands in the working folder.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn of_text(text: &str) -> Result<Source> {
        of_text(text, Path::new(""), &mut Vec::new())
    }
}

/// `chain` holds the files that are being read, each started from by the one before it.
fn read(path: &Path, chain: &mut Vec<PathBuf>) -> Result<Source> {
    let text = std::fs::read_to_string(path).map_err(|e| anyhow!("cannot be read: {e}"))?;
    let itself = path.canonicalize()?;
    if chain.contains(&itself) {
        chain.push(itself);
        let names = chain.iter().map(|file| file.display().to_string());
        let names: Vec<String> = names.collect();
        bail!("files start from each other: {}", names.join(" -> "));
    }
    chain.push(itself);
    let source = of_text(&text, path.parent().unwrap_or(Path::new("")), chain);
    chain.pop();
    source
}

fn of_text(text: &str, folder: &Path, chain: &mut Vec<PathBuf>) -> Result<Source> {
    let mut own: toml::Table = toml::from_str(text).map_err(|error| anyhow!(told(&error)))?;
    let mut folders = Vec::new();
    if !matches!(folder.to_str(), Some("" | ".")) {
        folders.push(folder.to_path_buf());
    }
    let Some(from) = own.remove("defaults") else {
        check(text, &own, &own)?;
        return Ok(Source {
            table: own,
            folders,
            shipped: None,
        });
    };
    let from = from.get("from").and_then(toml::Value::as_str);
    let from = from.context("[defaults] from is missing: the file to start from")?;
    let path = folder.join(from);
    let base = read(&path, chain).with_context(|| format!("[defaults] from = \"{from}\""))?;
    for folder in base.folders {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let mut table = base.table;
    merge(&mut table, own.clone());
    check(text, &own, &table)?;
    check_axes(&table, &own, from)?;
    Ok(Source {
        table,
        folders,
        shipped: None,
    })
}

/// Puts the text straight into the typed struct, for the line and column of a mistake in it: into the forms of `[sample]`,
/// `[train]` and `[eval]` that `whole` has, the text's table `own` with what it starts from. Where an axis chooses the form, its
/// cells tell.
fn check(text: &str, own: &toml::Table, whole: &toml::Table) -> Result<()> {
    let has = |table: &toml::Table, name: &str, key: &str| {
        let inner = table.get(name).and_then(toml::Value::as_table);
        inner.is_some_and(|inner| inner.contains_key(key))
    };
    let axes = axis_keys(whole);
    let mut chosen = ["sample.command", "sample.from"].iter();
    if chosen.any(|key| axes.contains_key(*key)) {
        return Ok(());
    }
    // What tells the form may stand in the file that this one starts from.
    let told_by_base = |name, key| has(whole, name, key) && !has(own, name, key);
    let sample = told_by_base("sample", "command");
    let train = told_by_base("train", "command");
    let any_program = ["sample", "train", "eval"]
        .iter()
        .any(|name| has(whole, name, "command"));
    if sample && train {
        check_as::<Experiment<CommandSample, CommandTrain, Evaluation>>(text)
    } else if sample {
        check_as::<Experiment<CommandSample, Training, Evaluation>>(text)
    } else if train {
        check_as::<Experiment<Sampling, CommandTrain, Evaluation>>(text)
    } else if told_by_base("sample", "from") && any_program {
        check_as::<Experiment<Adopted, Training, Evaluation>>(text)
    } else if any_program {
        check_as::<Experiment>(text)
    } else if has(whole, "sample", "from") {
        check_as::<Experiment<Adopted, Train, Eval>>(text)
    } else {
        check_as::<Experiment<Sample, Train, Eval>>(text)
    }
}

/// What is missing in one table would hide the mistakes of the next, so each is read alone then.
fn check_as<T: DeserializeOwned>(text: &str) -> Result<()> {
    let own = |error: &toml::de::Error| !may_be_supplied(error.message());
    match toml::from_str::<T>(text) {
        Ok(_) => return Ok(()),
        Err(error) if own(&error) => bail!("{}", told(&error)),
        Err(_) => {}
    }
    let whole = DeTable::parse(text)?;
    for (name, value) in whole.get_ref() {
        let mut one = DeTable::new();
        one.insert(name.clone(), value.clone());
        let one = Spanned::new(whole.span(), one);
        if let Err(mut error) = T::deserialize(toml::Deserializer::from(one)) {
            error.set_input(Some(text));
            ensure!(!own(&error), "{}", told(&error));
        }
    }
    Ok(())
}

/// Lays `own` over `table`: tables key by key, every other value whole.
fn merge(table: &mut toml::Table, own: toml::Table) {
    for (key, value) in own {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(own)) => merge(inner, own),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Refuses a value of `own` that would be without effect, because the file that it starts from makes it an axis.
fn check_axes(table: &toml::Table, own: &toml::Table, from: &str) -> Result<()> {
    let values = own
        .iter()
        .filter(|(name, _)| !NO_VALUES.contains(&name.as_str()));
    let values: toml::Table = values.map(|(k, v)| (k.clone(), v.clone())).collect();
    let values = leaves(&values, "");
    let (own_axes, all_axes) = (axis_keys(own), axis_keys(table));
    for (key, value) in values {
        ensure!(
            own_axes.contains_key(&key) || !all_axes.contains_key(&key),
            "{key} = {} is without effect: \"{from}\", which this file starts from, makes it an axis\nhint: write the axis again here, such as `[grid] {key} = [{value}]`, or take the value out",
            show(&value)
        );
    }
    Ok(())
}
