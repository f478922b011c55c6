//! Scores that others have printed, as rows beside the measured ones.

use crate::experiment::file::experiment::Published;
use crate::experiment::grid::sweep::Sweep;
use crate::run::results::{Row, Score};

/// What a row's `missing` says of a published one, before its source.
const WORD: &str = "published: ";

/// One row a `[[published]]` table: axis values by full key, scores without intervals. They stand at no point of the
/// grid and have no cell's number.
pub fn rows(sweep: &Sweep, measured: &[Row]) -> Vec<Row> {
    let axes = measured.first().map_or(Vec::new(), |r| r.axes.clone());
    let row = |published: &Published| Row {
        cell: usize::MAX,
        at: published.places(),
        axes: axes.clone(),
        scores: published
            .scores
            .iter()
            .map(|(metric, value)| Score::bare(metric.id(), *value, 0))
            .collect(),
        missing: Some(format!("{WORD}{}", published.source)),
        step: None,
        made: None,
        samples: None,
        keys: Vec::new(),
        influences: None,
        provenance: Vec::new(),
    };
    sweep.published.iter().map(row).collect()
}

/// Where a published row was printed; none for a measured one.
pub fn source(row: &Row) -> Option<&str> {
    row.missing.as_deref()?.strip_prefix(WORD)
}

/// The distinct sources, in file order; their numbers from 1 mark them in tables.
pub fn sources(sweep: &Sweep) -> Vec<&str> {
    let mut sources: Vec<&str> = Vec::new();
    for published in &sweep.published {
        if !sources.contains(&published.source.as_str()) {
            sources.push(&published.source);
        }
    }
    sources
}

/// As printed: two decimals, more where there are more.
pub fn number(value: f64) -> String {
    let own = value.to_string();
    let decimals = own.split_once('.').map_or(0, |(_, d)| d.len());
    format!("{value:.*}", decimals.max(2))
}
