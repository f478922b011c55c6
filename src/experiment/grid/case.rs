//! `[[case]]`: one table a row of values that belong together. Lists are crossed within a row; all rows are one axis. A key
//! that a case leaves out is as the file has it, or absent.

use crate::experiment::grid::axis::{Axis, MOST_CELLS, Place, check_key, written};
use crate::experiment::grid::overlay::{leaf, leaves, show};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;

pub use crate::experiment::grid::axis::CASE;

/// One case: its name, and the values of each of its keys.
struct Case {
    title: String,
    name: Option<String>,
    lists: Vec<(String, Vec<toml::Value>)>,
}

/// The axis of all cases of `table`, an experiment file: as a zip whose lists hold one value a row. None where the cases
/// say nothing.
pub fn case_axis(cases: &[toml::Table], table: &toml::Table) -> Result<Option<Axis>> {
    let cases = cases.iter().enumerate().map(|(n, case)| read(n, case));
    let cases: Vec<Case> = cases.collect::<Result<_>>()?;
    check_names(&cases)?;
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in cases.iter().flat_map(|case| &case.lists) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let mut lists: Vec<(String, Vec<Option<toml::Value>>)> = Vec::new();
    if cases.iter().any(|case| case.name.is_some()) {
        lists.push((CASE.to_string(), Vec::new()));
    }
    lists.extend(keys.iter().map(|key| (key.to_string(), Vec::new())));
    let mut rows = 0;
    for case in &cases {
        let per_key = keys.iter().map(|key| values(case, key, table));
        let per_key: Vec<Vec<Option<toml::Value>>> = per_key.collect();
        // In the order in which the case names its lists, the last fastest.
        let order: Vec<usize> = case
            .lists
            .iter()
            .filter_map(|(key, _)| at(&keys, key))
            .collect();
        let here = order
            .iter()
            .try_fold(1usize, |n, &k| n.checked_mul(per_key[k].len()));
        let here = here.filter(|&here| here <= MOST_CELLS - rows);
        let here = here.with_context(|| format!("the cases make more than {MOST_CELLS} cells"))?;
        rows += here;
        for n in 0..here {
            let mut digits = vec![0; keys.len()];
            let mut rest = n;
            for &k in order.iter().rev() {
                digits[k] = rest % per_key[k].len();
                rest /= per_key[k].len();
            }
            let name = case
                .name
                .iter()
                .map(|name| Some(toml::Value::from(name.as_str())));
            let row = name.chain(per_key.iter().zip(&digits).map(|(v, &d)| v[d].clone()));
            for ((_, values), value) in lists.iter_mut().zip(row) {
                values.push(value);
            }
        }
    }
    if lists.is_empty() {
        return Ok(None);
    }
    let crossed = cases.iter().flat_map(|case| &case.lists);
    let crossed = crossed.filter(|(_, values)| values.len() > 1);
    let mut crossed: Vec<String> = crossed.map(|(key, _)| key.clone()).collect();
    crossed.sort();
    crossed.dedup();
    let place = Place::Case;
    Ok(Some(Axis {
        lists,
        place,
        crossed,
    }))
}

fn at(keys: &[&str], key: &str) -> Option<usize> {
    keys.iter().position(|k| *k == key)
}

fn read(n: usize, case: &toml::Table) -> Result<Case> {
    let name = match case.get("name") {
        None => None,
        Some(toml::Value::String(name)) if !name.trim().is_empty() => Some(name.clone()),
        Some(other) => bail!(
            "[[case]] {}: name = {other} is not a text that names it\nhint: write `name = \"{}\"`",
            n + 1,
            match show(other).trim() {
                "" => "A",
                text => text,
            }
        ),
    };
    let title = match &name {
        Some(name) => format!("[[case]] \"{name}\""),
        None => format!("[[case]] {}", n + 1),
    };
    let mut lists = Vec::new();
    for (key, value) in leaves(case, "") {
        if key == "name" {
            continue;
        }
        check_key(&title, &key)?;
        let values = match value {
            toml::Value::Array(values) => values,
            one => vec![one],
        };
        ensure!(
            !values.is_empty(),
            "{title}: {key} = [] has no values, so there would be no cells\nhint: a list in a case is one cell a value; a value that is an empty list is written `[[]]`"
        );
        let mut seen = HashMap::new();
        for value in &values {
            let twice = seen.insert(written(value), ()).is_some();
            ensure!(!twice, "{title}: {key} holds {} twice", show(value));
        }
        lists.push((key, values));
    }
    Ok(Case { title, name, lists })
}

/// All cases have a name or none has, and no two have the same.
fn check_names(cases: &[Case]) -> Result<()> {
    let named = cases.iter().find(|case| case.name.is_some());
    let unnamed = cases.iter().find(|case| case.name.is_none());
    if let (Some(named), Some(unnamed)) = (named, unnamed) {
        bail!(
            "{} has a name and {} has none\nhint: give each case a `name`, or none",
            named.title,
            unnamed.title
        );
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (n, case) in cases.iter().enumerate() {
        let Some(name) = &case.name else { continue };
        if let Some(before) = seen.insert(name, n) {
            bail!(
                "[[case]] {} and [[case]] {} are both called \"{name}\"",
                before + 1,
                n + 1
            );
        }
    }
    Ok(())
}

/// What `case` says of `key`, or else the file itself; None where neither does.
fn values(case: &Case, key: &str, table: &toml::Table) -> Vec<Option<toml::Value>> {
    match case.lists.iter().find(|(own, _)| own == key) {
        Some((_, values)) => values.iter().cloned().map(Some).collect(),
        None => vec![leaf(table, key).cloned()],
    }
}
