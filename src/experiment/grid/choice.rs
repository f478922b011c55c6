//! `--set KEY=VALUE` and `--only KEY=VALUE[,VALUE]`: the file's values overridden, and a slice of its cells kept.

use crate::experiment::check::typo::told;
use crate::experiment::file::experiment::Experiment;
use crate::experiment::grid::axes::{Axis, axes, labels, short_names};
use crate::experiment::grid::cell::Cell;
use crate::experiment::grid::fill::may_be_supplied;
use crate::experiment::grid::overlay::{assign, instead_of_text, pair, same, show, value};
use anyhow::{Result, bail, ensure};
use serde::Deserialize;

pub fn override_value(table: &mut toml::Table, text: &str) -> Result<()> {
    let (key, text) = pair(text)?;
    let new = value(text)?;
    ensure!(
        key != "zip" && !key.starts_with("zip."),
        "[[zip]] cannot be set; edit it in the file"
    );
    ensure!(
        key != "defaults" && !key.starts_with("defaults."),
        "[defaults] cannot be set; edit it in the file"
    );
    for axis in axes(table)? {
        for (name, values) in &axis.lists {
            let one = values.last().map(show).unwrap_or_default();
            ensure!(
                name != key,
                "`{key}` is an axis of {} with {} values\nhint: to run one slice, use `--only {key}={one}`; to replace the axis, use {}",
                axis.place(),
                values.len(),
                if axis.zipped {
                    "an editor: lists of [[zip]] move together".to_string()
                } else {
                    format!("`--set grid.{key}=[{text}]`")
                },
            );
        }
    }
    assign(table, key, new)?;
    match <Experiment>::deserialize(table.clone()) {
        Err(error) if !may_be_supplied(error.message()) => match instead_of_text(error.message()) {
            Some(wanted) => bail!("`{key}` takes {wanted}, and `{text}` is a text"),
            None => bail!("{}", told(&error)),
        },
        _ => Ok(()),
    }
}

/// Drops the cells that one `--only KEY=VALUE[,VALUE]` does not name.
pub fn keep(cells: &mut Vec<Cell>, axes: &[Axis], text: &str) -> Result<()> {
    let (key, text) = pair(text)?;
    let keys = labels(axes);
    let by_short_name = short_names(&keys).iter().position(|name| name == key);
    let key = by_short_name.map_or(key, |at| &keys[at]);
    let lists = axes.iter().flat_map(|axis| &axis.lists);
    let Some((_, values)) = lists.clone().find(|(name, _)| name == key) else {
        let names: Vec<String> = lists.map(|(name, _)| format!("`{name}`")).collect();
        if names.is_empty() {
            bail!("the file has no [grid]")
        } else {
            bail!("`{key}` is no axis; the axes are {}", names.join(", "))
        }
    };
    let mut wanted = Vec::new();
    for one in several(text, values)? {
        if !values.iter().any(|v| same(v, &one)) {
            let all: Vec<String> = values.iter().map(show).collect();
            bail!(
                "`{}` is not on the axis, which has {}",
                show(&one),
                all.join(", ")
            );
        }
        wanted.push(one);
    }
    cells.retain(|cell| {
        let here = cell.get(key);
        here.is_some_and(|here| wanted.iter().any(|one| same(here, one)))
    });
    Ok(())
}

/// The values that `--only` names: `1,5`, `[1, 5]`, or a list that is itself a value of the axis.
fn several(text: &str, axis: &[toml::Value]) -> Result<Vec<toml::Value>> {
    match value(text) {
        Ok(whole) if axis.iter().any(|v| same(v, &whole)) => Ok(vec![whole]),
        Ok(toml::Value::Array(list)) => Ok(list),
        _ => text.split(',').map(|one| value(one.trim())).collect(),
    }
}
