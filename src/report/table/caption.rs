//! What must be said under every table: how many images, which seed, which reference, which features.

use crate::experiment::file::experiment::Eval;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Method;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::published;
use crate::report::table::sheet::Sheet;
use crate::run::results::Row;
use std::path::{Path, PathBuf};

/// One name of the rows' provenance: its distinct values, each with the cells that have it.
pub struct Fact {
    pub name: String,
    pub values: Vec<(String, Vec<usize>)>,
}

/// The rows' provenance, gathered by name in the order of first appearance.
pub fn provenance(rows: &[Row]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for row in rows {
        for (name, value) in &row.provenance {
            let i = match facts.iter().position(|f| f.name == *name) {
                Some(i) => i,
                None => {
                    facts.push(Fact {
                        name: name.clone(),
                        values: Vec::new(),
                    });
                    facts.len() - 1
                }
            };
            match facts[i].values.iter_mut().find(|(v, _)| v == value) {
                Some((_, cells)) => cells.push(row.cell),
                None => facts[i].values.push((value.clone(), vec![row.cell])),
            }
        }
    }
    facts
}

/// The caption's parts, in reading order.
pub fn parts(report: &Report, sheet: &Sheet) -> Vec<String> {
    let mut parts = Vec::new();
    if !sheet.fixed.is_empty() {
        let fixed = sheet.fixed.iter().map(|(k, v)| format!("{k} = {v}"));
        parts.push(fixed.collect::<Vec<_>>().join(", "));
    }
    if let Some(count) = count(report) {
        parts.push(format!("n = {count} a cell"));
    }
    if let Some(sample) = report.sample()
        && !swept(report, "sample.seed")
    {
        parts.push(format!("seed {}", sample.seed));
    }
    if report.eval().is_some() {
        parts.push(references(report));
        parts.push(features(report));
    }
    let rules = report
        .eval()
        .filter(|e| FeatureSpace::named(&e.features).is_published());
    if let Some(eval) = rules.filter(|_| !swept(report, "eval.preset")) {
        parts.push(format!("rules of {}", eval.preset));
    }
    let sources = published::sources(report);
    for (n, source) in sources.iter().enumerate() {
        parts.push(format!("published {}: {source}", n + 1));
    }
    parts
}

/// What the mark of the best and the brackets mean; `mark` as `bold: best`, empty where nothing is marked.
pub fn legend(report: &Report, mark: &str) -> Option<String> {
    report.eval()?;
    let brackets = "[low, high] = 95 % bootstrap over images, of shares Wilson's".to_string();
    let (reference, preset) = (
        swept(report, "eval.reference"),
        swept(report, "eval.preset"),
    );
    Some(match (mark, reference, preset) {
        ("", _, _) => brackets,
        (_, true, true) => {
            format!("{mark} of the cells that share a reference and a preset; {brackets}")
        }
        (_, true, false) => format!("{mark} of the cells that share a reference; {brackets}"),
        (_, false, true) => format!("{mark} of the cells that share a preset; {brackets}"),
        (_, false, false) => format!("{mark}; {brackets}"),
    })
}

/// The number of images a cell was scored on, as a range where cells differ.
fn count(report: &Report) -> Option<String> {
    let scores = || report.rows.iter().flat_map(|r| &r.scores);
    // A baseline has images of its own.
    let own = || scores().filter(|s| !s.metric.starts_with("gaussian"));
    let counts = || own().map(|s| s.count);
    let asked = report.sample().map(|s| s.count);
    let low = counts().min().or(asked)?;
    let high = counts().max().or(asked)?;
    Some(match low == high {
        true => names::thousands(low),
        false => format!("{} to {}", names::thousands(low), names::thousands(high)),
    })
}

/// `reference shapes16 sha256 3f1c9a02, shapes32 sha256 ...`.
fn references(report: &Report) -> String {
    files(report, "reference", "eval.reference", |e| &e.reference)
}

/// `feature net shapes_features sha256 6726825d`.
fn features(report: &Report) -> String {
    files(report, "feature net", "eval.weights", |e| &e.weights)
}

/// The files that the cells name under a key, each once, with its digest.
fn files(report: &Report, word: &str, key: &str, of: fn(&Eval) -> &PathBuf) -> String {
    let mut seen: Vec<(String, Option<String>)> = Vec::new();
    for row in report.rows {
        let path = path(report, row, key, of);
        let found = digest(row, &path);
        match seen.iter_mut().find(|(known, _)| *known == path) {
            // A cell that is missing knows no digest.
            Some((_, digest)) => *digest = digest.take().or(found),
            None => seen.push((path, found)),
        }
    }
    let files = seen
        .into_iter()
        .map(|(path, digest)| with_digest(&stem(&path), digest));
    format!("{word} {}", files.collect::<Vec<_>>().join(", "))
}

/// A file of `[eval]`: the cell's own where it is swept.
fn path(report: &Report, row: &Row, key: &str, of: fn(&Eval) -> &PathBuf) -> String {
    match names::at(row, key) {
        Some(toml::Value::String(path)) => path.clone(),
        _ => report
            .eval()
            .map_or_else(String::new, |e| of(e).display().to_string()),
    }
}

/// The first eight letters of the sha256 that the row's provenance tells of a file.
fn digest(row: &Row, path: &str) -> Option<String> {
    // What was read may be told by its whole path.
    let named = |name: &str| !path.is_empty() && Path::new(name).ends_with(path);
    let (_, value) = row.provenance.iter().find(|(name, _)| named(name))?;
    is_digest(value).then(|| bare(value).chars().take(8).collect())
}

fn with_digest(name: &str, digest: Option<String>) -> String {
    match digest {
        Some(digest) => format!("{name} sha256 {digest}"),
        None => name.to_string(),
    }
}

fn bare(value: &str) -> &str {
    value.strip_prefix("sha256 ").unwrap_or(value)
}

/// True for the hexadecimal text of a sha256.
pub fn is_digest(value: &str) -> bool {
    let hex = bare(value);
    hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit())
}

fn stem(path: &str) -> String {
    let stem = Path::new(path).file_stem();
    stem.map_or_else(|| path.to_string(), |s| s.to_string_lossy().into_owned())
}

/// True where the key takes more than one value over the cells.
pub fn swept(report: &Report, key: &str) -> bool {
    let mut values = report.rows.iter().map(|r| names::at(r, key));
    let first = values.next();
    values.any(|v| Some(v) != first)
}

/// True where Fréchet distances were asked for under any name.
pub fn asks_frechet(report: &Report) -> bool {
    let eval = report.eval().into_iter();
    eval.flat_map(|e| &e.metrics)
        .any(|m| m.row().method == Method::Frechet)
}
