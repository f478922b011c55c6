//! What must be said under every table: how many images, which seed, which reference, which features.

use crate::experiment::file::experiment::{Eval, Sampling};
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Method;
use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Counted};
use crate::report::rows::published;
use crate::report::rows::seeds;
use crate::report::rows::values::{at, thousands, varies};
use crate::report::table::best::MOST_COMPARED;
use crate::report::table::sheet::Sheet;
use crate::run::results::Row;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One name of the rows' provenance: its distinct values, each with the cells that have it.
pub struct Fact {
    pub name: Arc<str>,
    pub values: Vec<(Arc<str>, Vec<usize>)>,
}

/// The rows' provenance, gathered by name in the order of first appearance.
pub fn provenance(rows: &[Row]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut known: HashMap<(usize, &str), usize> = HashMap::new();
    for row in rows {
        for (name, value) in &row.provenance {
            let place = *places.entry(name).or_insert(facts.len());
            if place == facts.len() {
                facts.push(Fact {
                    name: name.clone(),
                    values: Vec::new(),
                });
            }
            let values = &mut facts[place].values;
            let at = *known.entry((place, value)).or_insert(values.len());
            match values.get_mut(at) {
                Some((_, cells)) => cells.push(row.cell),
                None => values.push((value.clone(), vec![row.cell])),
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
    parts.extend(counts(report));
    if let Some(seed) = report.sample().and_then(Sampling::seed)
        && !varies(report.rows, "sample.seed")
    {
        // Beside seeds of training, it must be said whose this one is.
        let whose = if seeds::count(report.rows) > 1 {
            "images of "
        } else {
            ""
        };
        parts.push(format!("{whose}seed {seed}"));
    }
    if report.eval().is_some() {
        parts.push(references(report));
        parts.push(features(report));
    }
    let rules = report
        .eval()
        .filter(|e| FeatureSpace::named(&e.features).is_published());
    if let Some(eval) = rules.filter(|_| !varies(report.rows, "eval.preset")) {
        parts.push(format!("rules of {}", eval.preset));
    }
    let sources = published::sources(report.sweep);
    for (n, source) in sources.iter().enumerate() {
        parts.push(format!("published {}: {source}", n + 1));
    }
    parts
}

/// What the mark of the best and what stands behind a value mean; `mark` as `bold: best`, empty where nothing is marked.
pub fn legend(report: &Report, mark: &str) -> Option<String> {
    report.eval()?;
    let spreads = spreads(report);
    if mark.is_empty() {
        return Some(spreads);
    }
    let kinds = [
        ("eval.reference", "a reference"),
        ("eval.preset", "a preset"),
    ];
    let shared = kinds.iter().filter(|(key, _)| varies(report.rows, key));
    let shared: Vec<&str> = shared.map(|(_, word)| *word).collect();
    let among = if shared.is_empty() {
        String::new()
    } else {
        format!(" of the cells that share {}", shared.join(" and "))
    };
    let not_told = if report.rows.len() <= MOST_COMPARED {
        ", and all whose paired difference from it may be 0"
    } else {
        ""
    };
    Some(format!("{mark}{among}{not_told}; {spreads}"))
}

/// What stands behind a value: its interval, of a mean over seeds its standard deviation.
fn spreads(report: &Report) -> String {
    let brackets = "[low, high] = 95 % bootstrap over images, Wilson's for proportions";
    match seeds::scored(report.rows) {
        (_, 0 | 1) => brackets.to_string(),
        (1, most) => format!("± = standard deviation over up to {most} seeds; {brackets}"),
        over => format!("± = standard deviation over {} seeds", spelled(over)),
    }
}

/// `n = 350 images a cell; recall counts 5,000 reference images`: how many images the scores were measured on, then
/// the metrics that count something else. Ranges where cells differ.
fn counts(report: &Report) -> Option<String> {
    let asked = report.sample().and_then(Sampling::count);
    let metrics = names::metrics(report.rows).into_iter();
    let metrics = metrics.filter(|metric| !names::is_baseline(metric));
    let (images, others): (Vec<_>, Vec<_>) = metrics
        .filter_map(|metric| Some((range(report, &metric)?, metric)))
        .partition(|(_, metric)| names::counted(metric) == Counted::Images);
    let n = match images.first() {
        Some((first, _)) => *first,
        None => (asked?, asked?),
    };
    let mut parts = vec![format!("n = {} images a cell", spelled(n))];
    let apart = images
        .iter()
        .chain(&others)
        .filter(|(range, _)| *range != n);
    for (range, metric) in apart {
        let what = match names::counted(metric) {
            Counted::Images => "images",
            Counted::ReferenceImages => "reference images",
        };
        let label = names::label(metric, report.world());
        parts.push(format!("{label} counts {} {what}", spelled(*range)));
    }
    Some(parts.join("; "))
}

/// The least and the largest count of a metric's scores; none where no score has one.
fn range(report: &Report, metric: &str) -> Option<(usize, usize)> {
    let scores = report.rows.iter().flat_map(|row| &row.scores);
    let counts = scores.filter(|s| s.metric == metric && s.count > 0);
    let counts = counts.map(|s| s.count);
    Some((counts.clone().min()?, counts.max()?))
}

/// `350`, or `100 to 350`.
fn spelled((low, high): (usize, usize)) -> String {
    if low == high {
        thousands(low)
    } else {
        format!("{} to {}", thousands(low), thousands(high))
    }
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
    let mut known: HashMap<String, usize> = HashMap::new();
    for row in report.rows {
        let path = path(report, row, key, of);
        let place = *known.entry(path.clone()).or_insert(seen.len());
        match seen.get_mut(place) {
            // A cell that is missing knows no digest.
            Some((_, found)) => *found = found.take().or_else(|| digest(row, &path)),
            None => seen.push((path.clone(), digest(row, &path))),
        }
    }
    let files = seen
        .into_iter()
        .map(|(path, digest)| with_digest(&stem(&path), digest));
    format!("{word} {}", files.collect::<Vec<_>>().join(", "))
}

/// A file of `[eval]`: the cell's own where it is swept.
fn path(report: &Report, row: &Row, key: &str, of: fn(&Eval) -> &PathBuf) -> String {
    match at(row, key) {
        Some(toml::Value::String(path)) => path.clone(),
        _ => report
            .eval()
            .map_or_else(String::new, |e| of(e).display().to_string()),
    }
}

/// The first eight letters of the sha256 that the row's provenance tells of a file.
fn digest(row: &Row, path: &str) -> Option<String> {
    Some(sha256(row, path)?.chars().take(8).collect())
}

/// The sha256, as 64 hexadecimal digits, that the row's provenance tells of a file.
pub fn sha256<'a>(row: &'a Row, path: &str) -> Option<&'a str> {
    // What was read may be told by its whole path.
    let named = |name: &str| !path.is_empty() && Path::new(name).ends_with(path);
    let (_, value) = row.provenance.iter().find(|(name, _)| named(name))?;
    is_digest(value).then(|| bare(value))
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

/// The 64 hexadecimal digits of a text that is a sha256 and nothing else.
pub fn sha256_of(value: &str) -> Option<&str> {
    is_digest(value).then(|| bare(value))
}

/// True for the hexadecimal text of a sha256.
pub fn is_digest(value: &str) -> bool {
    let hex = bare(value);
    hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit())
}

/// A path's file name without its ending.
pub(crate) fn stem(path: &str) -> String {
    let stem = Path::new(path).file_stem();
    stem.map_or_else(|| path.to_string(), |s| s.to_string_lossy().into_owned())
}

/// True where Fréchet distances were asked for under any name.
pub fn asks_frechet(report: &Report) -> bool {
    let eval = report.eval().into_iter();
    eval.flat_map(|e| &e.metrics)
        .any(|m| m.row().method == Method::Frechet)
}
