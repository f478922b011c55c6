//! `{key}` in a cell's texts: the value of another key of the same cell.

use crate::experiment::grid::axis::{Axis, NO_VALUES};
use crate::experiment::grid::overlay::{leaves, show};
use crate::experiment::grid::template::{Part, escape, fill, names, parts};
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

/// Tables whose texts are filled; the others name the study and say what is shown of it.
const FILLED: [&str; 7] = [
    "model", "train", "guidance", "sample", "upsample", "eval", "vars",
];

/// What a command is told when it runs: these names stay in its texts as they are, for the job to fill.
pub const RUN_TIME_NAMES: [&str; 15] = [
    "out", "count", "first", "last", "shard", "shards", "seed", "devices", "port", "cell", "cache",
    "config", "train", "images", "npz",
];

/// Whether the texts below a dotted key are filled when the command runs. Until then their literal braces stay doubled.
pub fn filled_at_run_time(key: &str) -> bool {
    let mut segments = key.split('.');
    let of_command = |segment: &str| matches!(segment, "command" | "env" | "inputs");
    match segments.next() {
        Some("vars") | None => false,
        Some("sample") if matches!(key, "sample.from" | "sample.collect") => true,
        Some(_) => segments.any(of_command),
    }
}

/// A value whose text was filled: its path in the file's table, and how it is written there.
pub type Written = (Vec<String>, toml::Value);

/// Fills the texts of a cell's table; `case` is the name of the cell's `[[case]]`. Returns what has changed, as it was.
///
/// # Errors
/// An unknown key, a circle of keys, a list where a single value is needed, a brace without its partner; each with the
/// place where it stands.
pub fn fill_texts(table: &mut toml::Table, case: Option<&str>) -> Result<Vec<Written>> {
    let holds_values = |(name, _): &(&String, &toml::Value)| !NO_VALUES.contains(&name.as_str());
    let values = table.iter().filter(holds_values);
    let values: toml::Table = values.map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut values = leaves(&values, "");
    values.extend(case.map(|name| ("case".to_string(), name.into())));
    let texts = Texts { values };
    let mut written = Vec::new();
    let mut fill = |key: &str, text: &str| {
        let filled = texts.filled(text, key);
        filled.with_context(|| format!("{key} = \"{text}\""))
    };
    for (name, value) in table.iter_mut() {
        if FILLED.contains(&name.as_str()) {
            change_below(&mut vec![name.clone()], value, &mut fill, &mut written)?;
        }
    }
    Ok(written)
}

/// An experiment, or some of its tables, as a file of one cell: the braces of its texts, which are filled, are doubled, so
/// that they are read as they are.
pub fn file_of(tables: &impl Serialize) -> Result<String> {
    let mut table = toml::Table::try_from(tables)?;
    let mut escaped = |key: &str, text: &str| {
        Ok(if filled_at_run_time(key) {
            text.to_string()
        } else {
            escape(text)
        })
    };
    for (name, value) in table.iter_mut() {
        if FILLED.contains(&name.as_str()) {
            change_below(
                &mut vec![name.clone()],
                value,
                &mut escaped,
                &mut Vec::new(),
            )?;
        }
    }
    Ok(toml::to_string(&table)?)
}

/// What a text under a dotted key becomes.
type Change<'a> = dyn FnMut(&str, &str) -> Result<String> + 'a;

/// Changes the texts of `value`, which stands at `path`, and notes what was changed.
fn change_below(
    path: &mut Vec<String>,
    value: &mut toml::Value,
    change: &mut Change,
    written: &mut Vec<Written>,
) -> Result<()> {
    if let toml::Value::Table(inner) = value {
        for (name, value) in inner.iter_mut() {
            path.push(name.clone());
            change_below(path, value, change, written)?;
            path.pop();
        }
        return Ok(());
    }
    let changed = changed_leaf(&path.join("."), value, change)?;
    if changed != *value {
        written.push((path.clone(), std::mem::replace(value, changed)));
    }
    Ok(())
}

fn changed_leaf(key: &str, value: &toml::Value, change: &mut Change) -> Result<toml::Value> {
    Ok(match value {
        toml::Value::String(text) => toml::Value::String(change(key, text)?),
        toml::Value::Array(items) => {
            let items = items.iter().map(|item| changed_leaf(key, item, change));
            toml::Value::Array(items.collect::<Result<_>>()?)
        }
        other => other.clone(),
    })
}

/// Refuses an axis of variables alone that no text takes: its cells would be the same.
pub fn check_used(table: &toml::Table, axes: &[Axis]) -> Result<()> {
    let mut texts = Vec::new();
    for (name, value) in table {
        if !NO_VALUES.contains(&name.as_str()) || matches!(name.as_str(), "grid" | "zip" | "case") {
            texts_of(value, &mut texts);
        }
    }
    // `{config}` is the path of a file that holds all values.
    let uses = |key: &str| {
        let mut names = texts.iter().filter_map(|text| names(text).ok()).flatten();
        names.any(|name| name == key || name == "config")
    };
    for axis in axes {
        let mut keys = axis.lists.iter().map(|(key, _)| key.as_str());
        let idle = keys.all(|key| key.starts_with("vars.") && !uses(key));
        let key = axis.key();
        ensure!(
            !idle || axis.len() == 1,
            "{key} is an axis of {}, and no text takes it, so that all its cells would be the same\nhint: write `{{{key}}}` where it is to stand",
            axis.place()
        );
    }
    Ok(())
}

/// A number as programs in Python write it: a float has its point. None for what is no finite number.
pub fn written_number(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Integer(whole) => Some(whole.to_string()),
        toml::Value::Float(x) if x.is_finite() => Some(format!("{x:?}")),
        _ => None,
    }
}

fn texts_of<'a>(value: &'a toml::Value, texts: &mut Vec<&'a str>) {
    match value {
        toml::Value::String(text) => texts.push(text),
        toml::Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        toml::Value::Table(table) => table.values().for_each(|value| texts_of(value, texts)),
        _ => {}
    }
}

/// The values of a cell, by dotted key.
struct Texts {
    values: Vec<(String, toml::Value)>,
}

impl Texts {
    fn filled(&self, text: &str, key: &str) -> Result<String> {
        if filled_at_run_time(key) {
            return self.for_run_time(text, key);
        }
        let mut chain = vec![key.to_string()];
        fill(text, &mut |name| self.value(name, &mut chain))
    }

    /// `text` with the file's values in it, still to be filled with what the command is told.
    fn for_run_time(&self, text: &str, key: &str) -> Result<String> {
        let mut filled = String::new();
        for part in parts(text)? {
            match part {
                Part::Text(literal) => filled.push_str(&escape(&literal)),
                Part::Name(name) if RUN_TIME_NAMES.contains(&name.as_str()) => {
                    filled.push_str(&format!("{{{name}}}"));
                }
                Part::Name(name) => {
                    let value = self.value(&name, &mut vec![key.to_string()])?;
                    filled.push_str(&escape(&value));
                }
            }
        }
        Ok(filled)
    }

    /// The value of a key as text. `chain` is the way to it: the key of the text that is filled, and what that names.
    fn value(&self, name: &str, chain: &mut Vec<String>) -> Result<String> {
        let Some((_, value)) = self.values.iter().find(|(key, _)| key == name) else {
            bail!("{}", self.unknown(name, &chain[0]));
        };
        if chain.iter().any(|key| key == name) {
            chain.push(name.to_string());
            bail!("{} go round in a circle", chain.join(" -> "));
        }
        ensure!(
            !filled_at_run_time(name),
            "`{{{name}}}` is known only when the command runs, so no other text can take it"
        );
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Array(_) => bail!(
                "`{{{name}}}` is the list {}, and a text can take a text, a number, true or false",
                show(value)
            ),
            other => return Ok(written_number(other).unwrap_or_else(|| show(other))),
        };
        let root = name.split('.').next().unwrap_or(name);
        if !FILLED.contains(&root) {
            return Ok(text.clone());
        }
        chain.push(name.to_string());
        let filled = fill(text, &mut |inner| self.value(inner, chain));
        chain.pop();
        filled
    }

    /// What is said of a name that nothing has, in a text below `place`.
    fn unknown(&self, name: &str, place: &str) -> String {
        let keys = self.values.iter().map(|(key, _)| key.as_str());
        let mut names: Vec<&str> = keys.filter(|key| !filled_at_run_time(key)).collect();
        let at_run_time = filled_at_run_time(place);
        if at_run_time {
            names.extend(RUN_TIME_NAMES);
        }
        let near = nearest(name, &names).map(|near| format!("did you mean `{{{near}}}`? "));
        let hint = near.unwrap_or_default();
        let only_then = if !at_run_time && RUN_TIME_NAMES.contains(&name) {
            ", and is known only to a command when it runs"
        } else {
            ""
        };
        format!(
            "`{{{name}}}` is no key of this file{only_then}\nhint: {hint}there are {}; a brace that is meant literally is doubled",
            names.join(", ")
        )
    }
}

/// The name that was probably meant: one that ends in the same word, or is at most two keystrokes away and less than
/// half of it wrong.
fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let word = |name: &str| name.rsplit('.').next().map(str::to_string);
    let apart = |near: &&&str| strsim::damerau_levenshtein(near, name);
    let near = names.iter().min_by_key(apart);
    let near = near.filter(|near| apart(near) <= 2 && 2 * apart(near) < name.len());
    let same_word = || names.iter().find(|other| word(other) == word(name));
    near.or_else(same_word).copied()
}

/// Whether a mistake that the parser finds in a file may be none in its cells: a required value may come from an axis or
/// from `--set`, and one of a set of words from another key. Every other mistake is the file's own.
pub fn may_be_supplied(message: &str) -> bool {
    let word = message.strip_prefix("unknown variant `");
    let word = word.and_then(|rest| rest.split('`').next());
    message.starts_with("missing field") || word.is_some_and(|word| word.contains('{'))
}

#[cfg(test)]
mod tests {
    use super::fill_texts;

    fn filled(text: &str) -> Result<String, String> {
        let mut table: toml::Table = toml::from_str(text).unwrap();
        match fill_texts(&mut table, Some("c{1}")) {
            Ok(_) => Ok(toml::to_string(&table).unwrap()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    #[test]
    fn texts_of_a_command_are_filled_with_the_files_values_and_left_open_for_its_own() {
        let text = "[vars]\ncfg = 1.50\ntext = \"{{x}}\"\nout = \"o\"\ncommand = \"{vars.out}\"\n\
            [sample]\ncommand = [\"--cfg={vars.cfg}\", \"{out}/{vars.text}\", \"{{out}}\", \"{case}\"]\n\
            from = \"{vars.out}-{seed}\"\ncollect = \"{{a,b}}\"\nother = \"{{a,b}}\"\n\
            [sample.env]\nHOME = \"{cache}{vars.command}\"\n\
            [guidance.train]\ninputs = [\"{train}\", \"{vars.out}\"]\n";
        let expected = "[vars]\ncfg = 1.5\ntext = \"{x}\"\nout = \"o\"\ncommand = \"o\"\n\n\
            [sample]\ncommand = [\"--cfg=1.5\", \"{out}/{{x}}\", \"{{out}}\", \"c{{1}}\"]\n\
            from = \"o-{seed}\"\ncollect = \"{{a,b}}\"\nother = \"{a,b}\"\n\n\
            [sample.env]\nHOME = \"{cache}o\"\n\n\
            [guidance.train]\ninputs = [\"{train}\", \"o\"]\n";
        assert_eq!(filled(text).unwrap(), expected);
    }

    #[test]
    fn a_command_knows_its_own_names_and_nobody_takes_its_text() {
        let said = filled("[sample]\ncommand = [\"{ouy}\"]\n").unwrap_err();
        assert_eq!(
            said,
            "sample.command = \"{ouy}\": `{ouy}` is no key of this file\nhint: did you mean `{out}`? there are case, out, count, first, last, shard, shards, seed, devices, port, cell, cache, config, train, images, npz; a brace that is meant literally is doubled"
        );
        let said = filled("[sample]\nfrom = \"{seed}\"\n[vars]\na = \"{sample.from}\"\n");
        assert_eq!(
            said.unwrap_err(),
            "vars.a = \"{sample.from}\": `{sample.from}` is known only when the command runs, so no other text can take it"
        );
    }
}
