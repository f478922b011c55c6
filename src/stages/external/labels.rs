//! The classes of a program's images, where it gives them: `labels.csv`, `labels.json`, or `arr_1` of its array file.

use crate::data::gallery::Gallery;
use crate::io::disk::read_bounded;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// More of a file of labels is not read: 50,000 lines have a few MB.
const LIMIT: u64 = 256 << 20;

/// What `labels.json` may hold.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of labels, an object of name and label, or EDM's {\"labels\": [[name, label], ...]}"
)]
enum Written {
    List(Vec<i64>),
    Pairs { labels: Vec<(String, i64)> },
    Names(HashMap<String, i64>),
}

/// One label an image of `gallery`, in this order of them; none where the program gave none.
///
/// # Errors
/// Labels that cannot be read, or that lack an image.
pub fn labels(out: &Path, gallery: &Gallery, order: &[usize]) -> Result<Option<Vec<i64>>> {
    for (file, read) in [
        ("labels.csv", csv as fn(&str) -> Result<Written>),
        ("labels.json", json),
    ] {
        let path = out.join(file);
        if path.is_file() {
            let bytes = read_bounded(&path, LIMIT)?;
            let text = String::from_utf8(bytes).with_context(|| format!("{file} is not UTF-8"))?;
            let written = read(&text).with_context(|| file.to_string())?;
            return of_images(written, gallery, order)
                .with_context(|| file.to_string())
                .map(Some);
        }
    }
    let given = gallery.given_labels()?;
    Ok(given.map(|labels| order.iter().map(|&i| i64::from(labels[i])).collect()))
}

fn json(text: &str) -> Result<Written> {
    Ok(serde_json::from_str(text)?)
}

/// Lines `name,label`, the first of which may be their heading.
fn csv(text: &str) -> Result<Written> {
    let mut names = HashMap::new();
    for (n, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let (name, label) = line
            .rsplit_once(',')
            .with_context(|| format!("line {}: `{line}` is not `name,label`", n + 1))?;
        match label.trim().parse() {
            Ok(label) => {
                names.insert(name.trim().trim_matches('"').to_string(), label);
            }
            Err(_) if n == 0 => {}
            Err(_) => anyhow::bail!(
                "line {}: `{}` is not a label, a whole number",
                n + 1,
                label.trim()
            ),
        }
    }
    Ok(Written::Names(names))
}

fn of_images(written: Written, gallery: &Gallery, order: &[usize]) -> Result<Vec<i64>> {
    let names = match written {
        Written::List(list) => {
            ensure!(
                list.len() >= gallery.len(),
                "it has {} labels for {} images",
                list.len(),
                gallery.len()
            );
            return Ok(list.into_iter().take(gallery.len()).collect());
        }
        Written::Pairs { labels } => labels.into_iter().collect(),
        Written::Names(names) => names,
    };
    let label = |i: usize| {
        let name = gallery.name(i);
        // A name may be written with as much of its path as one likes.
        let mut tails = std::iter::successors(Some(name.as_str()), |rest| {
            rest.split_once('/').map(|(_, rest)| rest)
        });
        let found = tails.find_map(|tail| names.get(tail));
        found
            .copied()
            .with_context(|| format!("it has no label for {name}"))
    };
    order.iter().map(|&i| label(i)).collect()
}
