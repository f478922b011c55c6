//! The axes of an experiment file: each list of `[grid]`, each `[[zip]]` as one, and all `[[case]]` as one.

use crate::experiment::grid::axis::{Axis, Place, check_key, shown, written};
use crate::experiment::grid::case::{CASE, case_axis};
use crate::experiment::grid::overlay::leaves;
use anyhow::{Result, bail, ensure};
use std::collections::{HashMap, HashSet};

/// The keys that a file's axes set and where, without their values: a case may lean on a value that is still to come.
pub fn axis_keys(table: &toml::Table) -> HashMap<String, Place> {
    let grid = table.get("grid").and_then(toml::Value::as_table);
    let rows = |name: &str| {
        let rows = table.get(name).and_then(toml::Value::as_array);
        rows.into_iter().flatten().filter_map(toml::Value::as_table)
    };
    let mut keys = HashMap::new();
    keys.extend(placed(grid, Place::Grid));
    keys.extend(placed(rows("zip"), Place::Zip));
    keys.extend(placed(rows(CASE), Place::Case));
    // The name of a case is no value of its cells.
    keys.remove("name");
    keys
}

fn placed<'a>(
    tables: impl IntoIterator<Item = &'a toml::Table>,
    place: Place,
) -> impl Iterator<Item = (String, Place)> {
    let keys = tables.into_iter().flat_map(|table| leaves(table, ""));
    keys.map(move |(key, _)| (key, place))
}

/// The axes of a file's table, in file order.
pub fn axes(table: &toml::Table) -> Result<Vec<Axis>> {
    let mut found = Vec::new();
    for (name, value) in table {
        match (name.as_str(), value) {
            ("grid", toml::Value::Table(grid)) => {
                for (key, value) in leaves(grid, "") {
                    let values = list("[grid]", &key, value)?;
                    found.push(Axis {
                        lists: vec![(key, values)],
                        place: Place::Grid,
                        crossed: Vec::new(),
                    });
                }
            }
            ("zip", toml::Value::Array(zips)) => {
                for zip in zips.iter().filter_map(toml::Value::as_table) {
                    found.extend(zip_axis(zip)?);
                }
            }
            (CASE, toml::Value::Array(cases)) => {
                let cases = cases.iter().filter_map(toml::Value::as_table).cloned();
                let cases: Vec<toml::Table> = cases.collect();
                found.extend(case_axis(&cases, table)?);
            }
            _ => {}
        }
    }
    check_names(&found)?;
    check_distinct(&found)?;
    Ok(found)
}

fn zip_axis(zip: &toml::Table) -> Result<Option<Axis>> {
    let mut lists = Vec::new();
    for (key, value) in leaves(zip, "") {
        let values = list("[[zip]]", &key, value)?;
        lists.push((key, values));
    }
    let Some((_, first)) = lists.first() else {
        return Ok(None);
    };
    if lists.iter().any(|(_, values)| values.len() != first.len()) {
        let each = lists
            .iter()
            .map(|(key, values)| format!("{key} has {}", values.len()));
        let each: Vec<String> = each.collect();
        bail!("[[zip]] lists must be of one length: {}", each.join(", "));
    }
    Ok(Some(Axis {
        lists,
        place: Place::Zip,
        crossed: Vec::new(),
    }))
}

fn list(place: &str, key: &str, value: toml::Value) -> Result<Vec<Option<toml::Value>>> {
    let values = match value {
        toml::Value::Array(values) => values,
        other => bail!(
            "{place} {key} = {other} is not a list\nhint: write `{key} = [{other}]`, or move it to the table it belongs to"
        ),
    };
    ensure!(
        !values.is_empty(),
        "{place} {key} = [] has no values, so there would be no cells"
    );
    check_key(place, key)?;
    Ok(values.into_iter().map(Some).collect())
}

/// No key twice, and none inside another: the later one would silently win.
fn check_names(axes: &[Axis]) -> Result<()> {
    let names: Vec<(&str, &str)> = axes
        .iter()
        .flat_map(|axis| {
            axis.lists
                .iter()
                .map(|(key, _)| (key.as_str(), axis.place()))
        })
        .collect();
    for (n, (a, place_a)) in names.iter().enumerate() {
        for (b, place_b) in &names[..n] {
            let inside = |x: &str, y: &str| x.strip_prefix(y).is_some_and(|r| r.starts_with('.'));
            ensure!(
                a != b,
                "`{a}` is an axis twice: in {place_b} and in {place_a}"
            );
            ensure!(
                !inside(a, b) && !inside(b, a),
                "`{b}` ({place_b}) and `{a}` ({place_a}) set the same value"
            );
        }
    }
    Ok(())
}

/// Equal values would make equal cells.
fn check_distinct(axes: &[Axis]) -> Result<()> {
    for axis in axes {
        let mut seen = HashSet::new();
        for n in 0..axis.len() {
            let row = axis.lists.iter().map(|(_, v)| v[n].as_ref().map(written));
            let row: Vec<Option<String>> = row.collect();
            let (key, values) = &axis.lists[0];
            ensure!(
                seen.insert(row),
                "{} {key} holds {} twice{}",
                axis.place(),
                shown(values[n].as_ref()),
                match axis.lists.len() {
                    1 => "",
                    _ => ", with the same values beside it",
                }
            );
        }
    }
    Ok(())
}
