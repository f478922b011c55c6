//! Scores that others have printed, as rows beside the measured ones.

use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::run::results::{Row, Score};

/// What a row's `missing` says of a published one, before its source.
const WORD: &str = "published: ";

/// One row a `[[published]]` table: axis values by full key, scores without intervals, no cell of the grid.
pub fn rows(report: &Report) -> Vec<Row> {
    let axes = report.rows.first().map_or(Vec::new(), |r| r.axes.clone());
    let row = |published: &crate::experiment::file::experiment::Published| Row {
        cell: usize::MAX,
        at: published.places(),
        axes: axes.clone(),
        scores: published
            .scores
            .iter()
            .map(|(metric, value)| Score {
                metric: metric.id().to_string(),
                value: *value,
                low: f64::NAN,
                high: f64::NAN,
                count: 0,
            })
            .collect(),
        missing: Some(format!("{WORD}{}", published.source)),
        samples: None,
        keys: Vec::new(),
        influences: None,
        provenance: Vec::new(),
    };
    report.sweep.published.iter().map(row).collect()
}

/// Where a published row was printed; none for a measured one.
pub fn source(row: &Row) -> Option<&str> {
    row.missing.as_deref()?.strip_prefix(WORD)
}

/// The distinct sources, in file order; their numbers from 1 mark them in tables.
pub fn sources(report: &Report) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for published in &report.sweep.published {
        if !sources.contains(&published.source) {
            sources.push(published.source.clone());
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

/// Whether two values of an axis are one: 1 and 1.0 are.
pub fn same(a: Option<&toml::Value>, b: Option<&toml::Value>) -> bool {
    match (a.and_then(names::number), b.and_then(names::number)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
