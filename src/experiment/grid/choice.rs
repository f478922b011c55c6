//! `--set KEY=VALUE` and `--only KEY=VALUE[,VALUE]`: the file's values overridden, and a slice of its cells kept.

use crate::experiment::check::typo::told;
use crate::experiment::file::experiment::Experiment;
use crate::experiment::grid::axes::{axes, axis_keys};
use crate::experiment::grid::axis::{Axis, Place, all_of, short_names};
use crate::experiment::grid::cell::Cell;
use crate::experiment::grid::fill::may_be_supplied;
use crate::experiment::grid::overlay::{assign, instead_of_text, pair, same, show, value};
use anyhow::{Result, bail, ensure};
use serde::Deserialize;

pub fn override_value(table: &mut toml::Table, text: &str) -> Result<()> {
    let (key, text) = pair(text)?;
    let new = value(text)?;
    for (table, shown) in [
        ("zip", "[[zip]]"),
        ("case", "[[case]]"),
        ("defaults", "[defaults]"),
    ] {
        ensure!(
            key.split('.').next() != Some(table),
            "{shown} cannot be set; edit it in the file"
        );
    }
    match axis_keys(table).get(key) {
        Some(Place::Case) => bail!(
            "`{key}` is set by [[case]]\nhint: to run one slice, use `--only {key}=VALUE`; to change it, use an editor: a [[case]] is one row of values"
        ),
        Some(_) => refuse_axis(&axes(table)?, key, text)?,
        None => {}
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

fn refuse_axis(axes: &[Axis], key: &str, text: &str) -> Result<()> {
    for axis in axes {
        for (name, values) in &axis.lists {
            let one = values.iter().flatten().next_back();
            let one = one.map(show).unwrap_or_default();
            ensure!(
                name != key,
                "`{key}` is an axis of {} with {} values\nhint: to run one slice, use `--only {key}={one}`; to replace the axis, use {}",
                axis.place(),
                values.len(),
                if axis.place == Place::Grid {
                    format!("`--set grid.{key}=[{text}]`")
                } else {
                    "an editor: lists of [[zip]] move together".to_string()
                },
            );
        }
    }
    Ok(())
}

/// Drops the cells that one `--only KEY=VALUE[,VALUE]` does not name: by a key of `lists`, which hold the values of the axes,
/// or by the short name of one of the labels `keys`.
pub fn keep(
    cells: &mut Vec<Cell>,
    keys: &[String],
    lists: &[(String, Vec<toml::Value>)],
    text: &str,
) -> Result<()> {
    let (key, text) = pair(text)?;
    let by_short_name = short_names(keys).iter().position(|name| name == key);
    let key = by_short_name.map_or(key, |at| &keys[at]);
    let Some((_, values)) = lists.iter().find(|(name, _)| name == key) else {
        let names: Vec<String> = lists.iter().map(|(name, _)| format!("`{name}`")).collect();
        if names.is_empty() {
            bail!("the file has no [grid]")
        } else {
            bail!("`{key}` is no axis; the axes are {}", names.join(", "))
        }
    };
    let wanted = several(text, values)?;
    for one in &wanted {
        if !values.iter().any(|v| same(v, one)) {
            bail!(
                "`{}` is not on the axis, which has {}",
                show(one),
                all_of(values)
            );
        }
    }
    cells.retain(|cell| {
        let here = cell.get(key);
        here.is_some_and(|here| wanted.iter().any(|one| same(here, one)))
    });
    Ok(())
}

/// The values that `--only` names: `1,5`, `[1, 5]`, or a list that is itself a value of the axis. A text of the axis needs
/// no quotes, even if it looks like a number.
fn several(text: &str, axis: &[toml::Value]) -> Result<Vec<toml::Value>> {
    let as_text = |text: &str| axis.iter().find(|v| v.as_str() == Some(text)).cloned();
    if let Some(whole) = as_text(text) {
        return Ok(vec![whole]);
    }
    let on_axis = |one: toml::Value| {
        let known = axis.iter().any(|v| same(v, &one));
        let text = as_text(&show(&one)).filter(|_| !known);
        text.unwrap_or(one)
    };
    match value(text) {
        Ok(whole) if axis.iter().any(|v| same(v, &whole)) => Ok(vec![whole]),
        Ok(toml::Value::Array(list)) => Ok(list.into_iter().map(on_axis).collect()),
        _ => {
            let each = text.split(',').map(str::trim);
            let each = each.map(|one| as_text(one).map_or_else(|| value(one), Ok).map(on_axis));
            each.collect()
        }
    }
}
