//! `"*"` in the place of an axis's list: every value that the names of the images hold.

use crate::experiment::grid::fill::written_number;
use crate::experiment::grid::overlay::{assign, leaves, show};
use crate::experiment::grid::template::{Part, parts};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Replaces each `"*"` of `[grid]` by the values that stand at its place in the names which `sample.from` fits, below the
/// working folder or, where none is there, below one of `folders`. Names hold numbers as a program writes them (`1.0`): what
/// would be written otherwise stays a text.
///
/// # Errors
/// A `"*"` of a key that `sample.from` does not have, or that no name fits.
pub fn expand(table: &mut Table, folders: &[PathBuf]) -> Result<()> {
    let grid = table.get("grid").and_then(Value::as_table);
    let stars = grid.map(|grid| leaves(grid, "")).unwrap_or_default();
    let stars: Vec<String> = stars
        .into_iter()
        .filter(|(_, value)| value.as_str() == Some("*"))
        .map(|(key, _)| key)
        .collect();
    if stars.is_empty() {
        return Ok(());
    }
    let from = table.get("sample").and_then(|sample| sample.get("from"));
    let from = from.and_then(Value::as_str).with_context(|| {
        format!("[grid] {} = \"*\" takes the values that the names of images hold, and there is no sample.from", stars[0])
    })?;
    let axes: Vec<String> = grid_keys(table);
    let values = leaves(table, "");
    let mut pattern = Vec::new();
    for part in parts(from)? {
        pattern.push(match part {
            Part::Name(name) if !axes.contains(&name) => {
                let value = values.iter().find(|(key, _)| *key == name);
                let (_, value) = value.with_context(|| {
                    format!("sample.from = \"{from}\": `{{{name}}}` is no key of this file")
                })?;
                Part::Text(written_number(value).unwrap_or_else(|| show(value)))
            }
            other => other,
        });
    }
    let from = from.to_string();
    for key in &stars {
        ensure!(
            pattern.contains(&Part::Name(key.clone())),
            "[grid] {key} = \"*\" takes the values that stand at {{{key}}} of sample.from = \"{from}\", which does not have it"
        );
    }
    let here = PathBuf::new();
    for folder in [&here].into_iter().chain(folders) {
        let found = matches(folder, &pattern);
        if found.is_empty() {
            continue;
        }
        for key in &stars {
            let mut texts: Vec<&String> = found.iter().filter_map(|names| names.get(key)).collect();
            texts.sort();
            texts.dedup();
            let mut list: Vec<Value> = texts.into_iter().map(|text| value(text)).collect();
            list.sort_by(|a, b| number(a).total_cmp(&number(b)));
            let grid = table.get_mut("grid").and_then(Value::as_table_mut);
            assign(
                grid.context("a [grid] that has a star")?,
                key,
                Value::Array(list),
            )?;
        }
        return Ok(());
    }
    bail!(
        "[grid] {} = \"*\": nothing has a name like sample.from = \"{from}\"",
        stars[0]
    )
}

/// Numbers before texts.
fn number(value: &Value) -> f64 {
    let whole = value.as_integer().map(|n| n as f64);
    whole.or(value.as_float()).unwrap_or(f64::INFINITY)
}

/// The number that is written so, else the text.
fn value(text: &str) -> Value {
    let number = text.parse::<i64>().map(Value::Integer);
    let number = number
        .or_else(|_| text.parse::<f64>().map(Value::Float))
        .ok();
    let same = |value: &Value| written_number(value).as_deref() == Some(text);
    number.filter(same).unwrap_or_else(|| text.into())
}

fn grid_keys(table: &Table) -> Vec<String> {
    let rows = |name: &str| match table.get(name) {
        Some(Value::Table(inner)) => leaves(inner, ""),
        Some(Value::Array(rows)) => {
            let tables = rows.iter().filter_map(Value::as_table);
            tables.flat_map(|row| leaves(row, "")).collect()
        }
        _ => Vec::new(),
    };
    let all = ["grid", "zip", "case"].into_iter().flat_map(rows);
    all.map(|(key, _)| key).collect()
}

/// What stands at the names of `pattern` in each path below `folder` that fits it.
fn matches(folder: &Path, pattern: &[Part]) -> Vec<BTreeMap<String, String>> {
    let mut components: Vec<Vec<Part>> = vec![Vec::new()];
    for part in pattern {
        let Part::Text(text) = part else {
            components
                .iter_mut()
                .last()
                .into_iter()
                .for_each(|c| c.push(part.clone()));
            continue;
        };
        for (n, piece) in text.split('/').enumerate() {
            if n > 0 {
                components.push(Vec::new());
            }
            if let (Some(last), false) = (components.last_mut(), piece.is_empty()) {
                last.push(Part::Text(piece.to_string()));
            }
        }
    }
    let start = match pattern.first() {
        Some(Part::Text(text)) if text.starts_with('/') => PathBuf::from("/"),
        _ => folder.to_path_buf(),
    };
    let mut open = vec![(start, BTreeMap::new())];
    for component in components.iter().filter(|component| !component.is_empty()) {
        let mut next = Vec::new();
        for (path, names) in open {
            if let [Part::Text(text)] = component.as_slice() {
                next.push((path.join(text), names));
                continue;
            }
            let listed = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                &path
            };
            for entry in std::fs::read_dir(listed).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if let Some(found) = fits(&name, component, &names) {
                    next.push((path.join(&name), found));
                }
            }
        }
        open = next;
    }
    let there = open.into_iter().filter(|(path, _)| path.exists());
    there.map(|(_, names)| names).collect()
}

/// The names of `component` in `text`, beside those that are known: a name takes the fewest letters that let the rest fit.
fn fits(
    text: &str,
    component: &[Part],
    known: &BTreeMap<String, String>,
) -> Option<BTreeMap<String, String>> {
    match component {
        [] => text.is_empty().then(|| known.clone()),
        [Part::Text(literal), rest @ ..] => fits(text.strip_prefix(literal.as_str())?, rest, known),
        [Part::Name(name), rest @ ..] => {
            let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
            ends.into_iter().find_map(|end| {
                let (taken, after) = text.split_at(end);
                let mut names = known.clone();
                let before = names.insert(name.clone(), taken.to_string());
                if before.is_some_and(|before| before != taken) {
                    return None;
                }
                fits(after, rest, &names)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_the_pattern_has_them() {
        let component = parts("cfg-{a}-seed-{b}.npz").unwrap();
        let found = fits("cfg-1.5-seed-0.npz", &component, &BTreeMap::new()).unwrap();
        assert_eq!((found["a"].as_str(), found["b"].as_str()), ("1.5", "0"));
        assert!(fits("cfg-1.5.npz", &component, &BTreeMap::new()).is_none());
        let twice = parts("{a}-{a}").unwrap();
        assert!(fits("1-2", &twice, &BTreeMap::new()).is_none());
        assert_eq!(fits("é-é", &twice, &BTreeMap::new()).unwrap()["a"], "é");
    }

    #[test]
    fn numbers_are_numbers_where_they_are_written_so() {
        assert_eq!(value("4"), Value::Integer(4));
        assert_eq!(value("1.0"), Value::Float(1.0));
        assert_eq!(value("1.50"), Value::String("1.50".into()));
        assert_eq!(value("nan"), Value::String("nan".into()));
        assert_eq!(value("final"), Value::String("final".into()));
    }
}
