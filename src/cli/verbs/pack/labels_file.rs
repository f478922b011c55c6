//! A file of labels: CSV or JSON, by the names of files or in the order of the images.

use crate::data::labels::given::class_number;
use crate::io::disk::{JSON_LIMIT, read_bounded};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The labels of a file.
#[derive(Debug, PartialEq)]
pub enum Table {
    InOrder(Vec<u32>),
    ByFile(HashMap<String, u32>),
}

/// What a file of labels may be.
const KINDS: &str = "hint: a CSV has lines `file,label` or one label a line; JSON is {\"labels\": [[file, label], ..]}, {file: label} or a list of labels; labels are whole numbers from 0";

/// Reads a CSV, or JSON where the name ends in `.json`.
///
/// # Errors
/// A file that cannot be read or is neither, a label that is no whole number, and two different labels of one file.
pub fn read(path: &Path) -> Result<Table> {
    let bytes = read_bounded(path, JSON_LIMIT).context("--labels")?;
    let reading = || format!("--labels {}", path.display());
    let json = path.extension().is_some_and(|ending| ending == "json");
    let table = if json {
        of_json(&bytes)
    } else {
        of_csv(&bytes)
    };
    table.with_context(reading)
}

fn of_json(bytes: &[u8]) -> Result<Table> {
    let whole: Value =
        serde_json::from_slice(bytes).with_context(|| format!("it is no JSON\n{KINDS}"))?;
    let other = || format!("it is no list of labels\n{KINDS}");
    match whole {
        Value::Array(labels) => {
            let labels = labels.iter().enumerate();
            let labels = labels.map(|(at, label)| number(label, &format!("label {at}")));
            Ok(Table::InOrder(labels.collect::<Result<_>>()?))
        }
        Value::Object(mut table) => {
            let rows: Vec<(String, Value)> = match table.remove("labels") {
                Some(rows @ Value::Array(_)) => serde_json::from_value(rows).with_context(other)?,
                Some(label) => table
                    .into_iter()
                    .chain([("labels".to_string(), label)])
                    .collect(),
                None => table.into_iter().collect(),
            };
            let rows = rows.into_iter().map(|(file, label)| {
                let label = number(&label, &file)?;
                Ok((file, label))
            });
            by_file(rows)
        }
        _ => bail!(other()),
    }
}

/// A class number of JSON; Python writes some as floats.
fn number(label: &Value, of: &str) -> Result<u32> {
    let whole = label.as_f64().filter(|number| number.fract() == 0.0);
    let found = whole.and_then(|number| class_number(&number.to_string()));
    found.with_context(|| format!("{of} is {label}, which is no class\n{KINDS}"))
}

fn of_csv(bytes: &[u8]) -> Result<Table> {
    let text = std::str::from_utf8(bytes).with_context(|| format!("it is no text\n{KINDS}"))?;
    let text = text.trim_start_matches('\u{feff}');
    let lines = text
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim()));
    let mut lines = lines.filter(|(_, line)| !line.is_empty()).peekable();
    // A first line whose label is no number has headings, or is wrong as all further ones are.
    let heading = |line: &str| class_number(split(line).1).is_none();
    lines.next_if(|(_, line)| heading(line));
    let parsed = lines.map(|(n, line)| {
        let (file, label) = split(line);
        let label = class_number(label)
            .with_context(|| format!("line {n}: {label:?} is no class\n{KINDS}"))?;
        Ok((n, file.map(unquoted), label))
    });
    let rows: Vec<(usize, Option<String>, u32)> = parsed.collect::<Result<_>>()?;
    if rows.is_empty() {
        bail!("it has no labels\n{KINDS}");
    }
    if rows.iter().all(|(_, file, _)| file.is_none()) {
        return Ok(Table::InOrder(rows.into_iter().map(|row| row.2).collect()));
    }
    let rows = rows.into_iter().map(|(n, file, label)| {
        let file = file.with_context(|| format!("line {n} names no file, others do\n{KINDS}"))?;
        Ok((file, label))
    });
    by_file(rows)
}

/// The file, where there is one, and the label behind the last comma.
fn split(line: &str) -> (Option<&str>, &str) {
    match line.rsplit_once(',') {
        Some((file, label)) => (Some(file.trim()), label.trim().trim_matches('"')),
        None => (None, line.trim_matches('"')),
    }
}

/// A field of CSV without the quotes around it.
fn unquoted(field: &str) -> String {
    let inner = field
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| field.to_string(), |inner| inner.replace("\"\"", "\""))
}

fn by_file(rows: impl Iterator<Item = Result<(String, u32)>>) -> Result<Table> {
    let mut table: HashMap<String, u32> = HashMap::new();
    for row in rows {
        let (file, label) = row?;
        // Programs on Windows write paths so.
        let file = file.replace('\\', "/");
        let file = file.strip_prefix("./").unwrap_or(&file).to_string();
        if let Some(other) = table.get(&file).filter(|other| **other != label) {
            bail!("{file} has the labels {other} and {label}");
        }
        table.insert(file, label);
    }
    Ok(Table::ByFile(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(rows: &[(&str, u32)]) -> Table {
        let rows = rows.iter().map(|(file, label)| (file.to_string(), *label));
        Table::ByFile(rows.collect())
    }

    #[test]
    fn tables_are_read_with_and_without_headings_and_names() {
        let named = files(&[("a,b.png", 3), ("d/c.png", 0)]);
        for csv in [
            "\"a,b.png\",3\nd/c.png,0\n",
            "file,label\r\n\"a,b.png\", 3\r\n\r\nd\\c.png,0",
            "\u{feff}./a,b.png,3\n./d/c.png,\"0\"",
        ] {
            assert_eq!(of_csv(csv.as_bytes()).unwrap(), named, "{csv}");
        }
        for csv in ["2\n0\n2\n", "label\n2\n0\n2"] {
            assert_eq!(
                of_csv(csv.as_bytes()).unwrap(),
                Table::InOrder(vec![2, 0, 2])
            );
        }
        for json in [
            r#"{"labels": [["a,b.png", 3], ["d/c.png", 0.0]]}"#,
            r#"{"a,b.png": 3, "d/c.png": 0}"#,
        ] {
            assert_eq!(of_json(json.as_bytes()).unwrap(), named, "{json}");
        }
        assert_eq!(of_json(b"[1, 0]").unwrap(), Table::InOrder(vec![1, 0]));
    }

    #[test]
    fn what_is_no_label_is_told_by_its_line() {
        let why = |csv: &str| format!("{:#}", of_csv(csv.as_bytes()).unwrap_err());
        assert!(why("a.png,1\nb.png,cat\n").starts_with("line 2: \"cat\" is no class"));
        assert!(why("a.png,1\nb.png,-1\n").starts_with("line 2: \"-1\" is no class"));
        assert!(why("a.png,1\n2\n").starts_with("line 2 names no file"));
        assert!(why("file,label\n").starts_with("it has no labels"));
        assert_eq!(why("a.png,1\na.png,2\n"), "a.png has the labels 1 and 2");
        let why = |json: &str| format!("{:#}", of_json(json.as_bytes()).unwrap_err());
        assert!(why("{").starts_with("it is no JSON"));
        assert!(why("3").starts_with("it is no list of labels"));
        assert!(why("[1.5]").starts_with("label 0 is 1.5, which is no class"));
        assert!(why(r#"{"labels": [["a.png", [1, 0]]]}"#).starts_with("a.png is [1,0]"));
    }
}
