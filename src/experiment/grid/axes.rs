//! The axes of an experiment file: each list of `[grid]`, and each `[[zip]]` as one.

use crate::experiment::grid::overlay::{leaves, same, show};
use anyhow::{Result, bail, ensure};

/// What moves together: one list of the grid, or the lists of one zip.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Dotted key and values; all of one length, at least 1.
    pub lists: Vec<(String, Vec<toml::Value>)>,
    pub zipped: bool,
}

impl Axis {
    pub fn len(&self) -> usize {
        self.lists[0].1.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key that stands for the axis in labels.
    pub fn key(&self) -> &str {
        &self.lists[0].0
    }

    /// The keys that tell its values apart: the first, and of a zip as many more as that takes.
    pub fn labels(&self) -> Vec<&str> {
        let kinds = |chosen: &[&(String, Vec<toml::Value>)]| {
            let equal = |a: usize, b: usize| chosen.iter().all(|(_, v)| same(&v[a], &v[b]));
            let fresh = |b: &usize| (0..*b).all(|a| !equal(a, *b));
            (0..self.len()).filter(fresh).count()
        };
        let mut chosen = vec![&self.lists[0]];
        for list in &self.lists[1..] {
            let mut more = chosen.clone();
            more.push(list);
            if kinds(&more) > kinds(&chosen) {
                chosen = more;
            }
        }
        chosen.iter().map(|(key, _)| key.as_str()).collect()
    }

    pub fn place(&self) -> &'static str {
        if self.zipped { "[[zip]]" } else { "[grid]" }
    }
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
                        zipped: false,
                    });
                }
            }
            ("zip", toml::Value::Array(zips)) => {
                for zip in zips.iter().filter_map(toml::Value::as_table) {
                    found.extend(zip_axis(zip)?);
                }
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
        zipped: true,
    }))
}

fn list(place: &str, key: &str, value: toml::Value) -> Result<Vec<toml::Value>> {
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
    let root = key.split('.').next().unwrap_or(key);
    ensure!(
        !matches!(
            root,
            "name" | "grid" | "zip" | "chart" | "published" | "claim" | "report"
        ),
        "{place} `{key}` cannot be an axis"
    );
    Ok(values)
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
        for b in 0..axis.len() {
            for a in 0..b {
                let equal = axis.lists.iter().all(|(_, v)| same(&v[a], &v[b]));
                let (key, values) = &axis.lists[0];
                ensure!(
                    !equal,
                    "{} {key} holds {} twice",
                    axis.place(),
                    show(&values[b])
                );
            }
        }
    }
    Ok(())
}

/// The keys that tell cells apart, over all axes.
pub fn labels(axes: &[Axis]) -> Vec<String> {
    let labels = axes.iter().flat_map(Axis::labels);
    labels.map(String::from).collect()
}

/// What a key is called for short: `upsample.checkpoint` says whether there is a second stage, and which.
pub fn called(key: &str) -> &str {
    match key {
        "upsample.checkpoint" => "upsample",
        _ => key,
    }
}

/// The last segment of each key; where two share it, both take as much of the path as tells them apart.
pub fn short_names(keys: &[String]) -> Vec<String> {
    let tail = |key: &str, n: usize| {
        let parts: Vec<&str> = called(key).split('.').collect();
        parts[parts.len().saturating_sub(n)..].join(".")
    };
    let shared = |key: &String, n: usize| {
        let mut others = keys.iter().filter(|other| *other != key);
        others.any(|other| tail(other, n) == tail(key, n))
    };
    keys.iter()
        .map(|key| {
            let n = (1..8).find(|&n| !shared(key, n)).unwrap_or(8);
            tail(key, n)
        })
        .collect()
}
