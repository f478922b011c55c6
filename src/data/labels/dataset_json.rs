//! The labels in `dataset.json`, which StyleGAN2-ADA's and EDM's dataset tools write beside the images.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::HashMap;

/// Names that a remark gives.
const NAMED: usize = 3;
/// More classes than any data set has; a larger label is a mistake.
const MOST_CLASSES: u32 = 1 << 20;

/// What a `dataset.json` says of the images beside it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Labelled {
    /// The label of every image, in order; none where there are no classes.
    pub labels: Option<Vec<u32>>,
    /// What is odd about it.
    pub remarks: Vec<String>,
}

/// Labels out of `{"labels": [["00000/img00000000.png", 0], ..]}`, or `{"labels": null}` for images without classes. None
/// where the file has no `labels`: it is another program's.
///
/// # Errors
/// Where it is no JSON, or its labels are neither class numbers nor vectors (of which no class is read).
pub(crate) fn read(json: &[u8], paths: &[String]) -> Result<Option<Labelled>> {
    let hint = "\nhint: mend `dataset.json`, or move it away: folders are classes then";
    let mut whole: Value =
        serde_json::from_slice(json).with_context(|| format!("`dataset.json` is no JSON{hint}"))?;
    let Some(labels) = whole.get_mut("labels").map(Value::take) else {
        return Ok(None);
    };
    let rows: Option<Vec<(String, Value)>> = serde_json::from_value(labels).with_context(|| {
        format!("the `labels` of `dataset.json` are neither null nor a list of [file, label]{hint}")
    })?;
    let Some(rows) = rows else {
        return Ok(Some(Labelled::default()));
    };
    let mut remarks = Vec::new();
    if rows.iter().any(|(_, label)| label.is_array()) {
        remarks.push(
            "the labels of `dataset.json` are vectors, of which no class is read: the images have none"
                .to_string(),
        );
        return Ok(Some(Labelled {
            labels: None,
            remarks,
        }));
    }
    let mut known: HashMap<String, u32> = HashMap::with_capacity(rows.len());
    for (path, label) in rows {
        let number = class(&label);
        let number = number.with_context(|| {
            format!("`dataset.json` labels {path:?} {label}: labels are 0..{MOST_CLASSES}{hint}")
        })?;
        // A Windows program wrote the path as it has it.
        known.insert(path.replace('\\', "/"), number);
    }
    let labels: Vec<Option<u32>> = paths.iter().map(|path| known.remove(path)).collect();
    let mut absent: Vec<String> = known.into_keys().collect();
    absent.sort_unstable();
    if !absent.is_empty() {
        remarks.push(format!(
            "`dataset.json` labels {} files that are not there: {}",
            absent.len(),
            some(absent.iter())
        ));
    }
    let without = || paths.iter().zip(&labels).filter(|(_, l)| l.is_none());
    let missing = without().count();
    if missing > 0 {
        remarks.push(format!(
            "`dataset.json` has no labels for {missing} of {} images ({}): the images have no classes",
            paths.len(),
            some(without().map(|(path, _)| path))
        ));
    }
    let labels: Option<Vec<u32>> = labels.into_iter().collect();
    Ok(Some(Labelled { labels, remarks }))
}

/// A class number; Python writes some as floats.
fn class(label: &Value) -> Result<u32> {
    let number = label.as_f64().context("it is no number")?;
    ensure!(
        number.fract() == 0.0 && (0.0..f64::from(MOST_CLASSES)).contains(&number),
        "it is no class number"
    );
    Ok(number as u32)
}

/// The first few of these names.
fn some<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut names = names.peekable();
    let first: Vec<&str> = names.by_ref().take(NAMED).map(String::as_str).collect();
    let more = if names.peek().is_some() { ", .." } else { "" };
    format!("{}{more}", first.join(", "))
}
