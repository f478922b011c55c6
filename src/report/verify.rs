//! A written report against the store: its table's numbers by the keys that its page names, and its files by their list.

use crate::experiment::key::digest_file;
use crate::io::disk::{read_bounded, read_json};
use crate::report::page::format::Format;
use crate::report::page::write::LIST;
use crate::run::results::Score;
use crate::run::store::Store;
use crate::run::verify::problem::{Cure, GONE, Problem};
use crate::run::verify::scores::{scored, scores_under};
use anyhow::{Context, Result};
use polars::prelude::{CsvReadOptions, CsvReader, DataFrame, DataType, SerReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// The table that is compared.
pub const TABLE: &str = "table.csv";
/// The page that names the keys.
const PAGE: &str = "index.html";
/// The largest page that is read.
const PAGE_LIMIT: u64 = 256 << 20;
/// What mends a report.
const AGAIN: &str = "runner report FILE";

/// What was found of a report.
#[derive(Debug, Default)]
pub struct Verified {
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
    /// Rows of finished cells, and those of them whose results are in the store.
    pub rows: usize,
    pub compared: usize,
    /// Files that are as they were written.
    pub files: usize,
}

/// Compares the report in `folder` with `store`.
///
/// # Errors
/// Where its table cannot be read.
pub fn verify(folder: &Path, store: &Store) -> Result<Verified> {
    let mut found = Verified::default();
    files(folder, &mut found)?;
    let path = folder.join(TABLE);
    let table = table(&path).with_context(|| format!("reading {}", path.display()))?;
    let page = folder.join(PAGE);
    if !page.is_file() {
        found.notes.push(format!(
            "{}: there is no page that names the keys, so that the table is not compared with the store",
            page.display()
        ));
        return Ok(found);
    }
    let page = read_bounded(&page, PAGE_LIMIT)?;
    let keys = keys(&String::from_utf8_lossy(&page));
    let column = |name: &str| -> Option<Vec<Option<String>>> {
        let column = table.column(name).ok()?.str().ok()?;
        Some(column.iter().map(|v| v.map(str::to_string)).collect())
    };
    let (cells, states) = (column("cell"), column("state"));
    let (cells, states) = (
        cells.context("the table has no column `cell`")?,
        states.context("the table has no column `state`")?,
    );
    let mut lacking = Vec::new();
    for (row, (cell, state)) in cells.iter().zip(&states).enumerate() {
        // Published numbers have no cell.
        let (Some(cell), Some("done")) = (cell, state.as_deref()) else {
            continue;
        };
        found.rows += 1;
        let Some(key) = keys.get(cell) else {
            let what = format!("the page names no scores of cell {cell}");
            found.problem(&path, what);
            continue;
        };
        match scores_under(store, key) {
            None => lacking.push(cell.as_str()),
            Some(scores) => {
                found.compared += 1;
                for what in differing(&scores, row, &column) {
                    found.problem(&path, format!("cell {cell}: {what}"));
                }
            }
        }
    }
    if !lacking.is_empty() {
        found.notes.push(format!(
            "{}: the store {} has no whole scores of {} {}; their rows are not compared",
            path.display(),
            store.root().display(),
            if lacking.len() == 1 { "cell" } else { "cells" },
            lacking.join(", ")
        ));
    }
    Ok(found)
}

/// Every value as text, so that no number is rounded.
fn table(path: &Path) -> Result<DataFrame> {
    let options = CsvReadOptions::default().with_infer_schema_length(Some(0));
    let mut table = CsvReader::new(File::open(path)?)
        .with_options(options)
        .finish()?;
    for column in table.get_column_names_owned() {
        let text = table.column(&column)?.cast(&DataType::String)?;
        table.with_column(text)?;
    }
    Ok(table)
}

/// The files of the report's list, each with its digest.
fn files(folder: &Path, found: &mut Verified) -> Result<()> {
    let path = folder.join(LIST);
    if !path.is_file() {
        found.notes.push(format!(
            "{}: there is no such list, so that charts and pages are not compared with what was written",
            path.display()
        ));
        return Ok(());
    }
    let list: BTreeMap<String, String> = match read_json(&path) {
        Ok(list) => list,
        Err(error) => {
            found.problem(&path, error.root_cause().to_string());
            return Ok(());
        }
    };
    for (name, digest) in list
        .iter()
        .filter(|(name, _)| Format::of_file(name).is_some())
    {
        let file = folder.join(name);
        if !file.exists() {
            found.problem(&file, GONE.to_string());
        } else if digest_file(&file)? != *digest {
            let what = "it has other bytes than the report wrote";
            found.problem(&file, what.to_string());
        } else {
            found.files += 1;
        }
    }
    Ok(())
}

/// The key of each cell's scores, by the page's table of keys.
fn keys(page: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let Some((_, table)) = page.split_once("Store keys of every cell") else {
        return keys;
    };
    let table = table.split("</table>").next().unwrap_or_default();
    let stages: Vec<&str> = (table.split("<th>").skip(1))
        .filter_map(|cell| cell.split('<').next())
        .collect();
    let Some(scored) = stages.iter().position(|stage| *stage == scored()) else {
        return keys;
    };
    for row in table.split("<tr>").skip(2) {
        let mut cells = row.split("<td").skip(1);
        let number = cells.next().and_then(|cell| between(cell, ">", "<"));
        let key = cells
            .nth(scored)
            .and_then(|cell| between(cell, "title=\"", "\""));
        if let (Some(number), Some(key)) = (number, key) {
            keys.insert(number.trim().to_string(), key.to_string());
        }
    }
    keys
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    text.split_once(from)?.1.split(to).next()
}

/// How a row says other numbers than these.
fn differing(
    scores: &[Score],
    row: usize,
    column: &dyn Fn(&str) -> Option<Vec<Option<String>>>,
) -> Vec<String> {
    let mut found = Vec::new();
    for score in scores {
        let ends = [
            ("", score.value),
            ("_low", score.low),
            ("_high", score.high),
        ];
        for (end, value) in ends {
            let name = format!("{}{end}", score.metric);
            let said = column(&name).and_then(|column| column.get(row).cloned().flatten());
            let number = said.as_ref().and_then(|said| said.parse::<f64>().ok());
            let same = match number {
                Some(number) => number == value,
                None => !value.is_finite(),
            };
            if !same {
                let said = said.unwrap_or_else(|| "nothing".to_string());
                found.push(format!("{name} is {said}, the store has {value}"));
            }
        }
    }
    found
}

impl Verified {
    fn problem(&mut self, path: &Path, what: String) {
        self.problems.push(Problem {
            path: path.to_path_buf(),
            what,
            cure: Cure::Command(AGAIN.to_string()),
        });
    }
}
