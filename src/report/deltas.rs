//! The table of differences against the first row, as ablation tables in the literature show it.

use crate::report::names;
use crate::report::sheet::{Entry, Line, Sheet};
use crate::run::results::Row;

/// Stands over the table.
pub const TITLE: &str = "Differences from the first row of each reference";

/// The sheet with the first scored line of each reference as it stands, the others as signed differences from it.
/// Intervals are left out: those of a difference are not those of its parts.
pub fn deltas(sheet: &Sheet, rows: &[Row]) -> Sheet {
    let mut deltas = sheet.clone();
    deltas.published.clear();
    for (line, plain) in deltas.lines.iter_mut().zip(&sheet.lines) {
        let scored = |l: &&Line| l.group == plain.group && l.entries.iter().any(Option::is_some);
        let Some(base) = sheet.lines.iter().find(scored) else {
            continue;
        };
        for (entry, metric) in line.entries.iter_mut().zip(&sheet.metrics) {
            let Some(shown) = entry else { continue };
            shown.interval = None;
            if plain.cell == base.cell {
                shown.best = false;
                continue;
            }
            *entry = difference(rows, base.cell, plain.cell, &metric.key).map(|by| {
                let decimals = shown.value.split_once('.').map_or(0, |(_, d)| d.len());
                Entry {
                    value: format!("{by:+.decimals$}"),
                    ..shown.clone()
                }
            });
        }
    }
    deltas
}

fn difference(rows: &[Row], from: usize, to: usize, metric: &str) -> Option<f64> {
    let score = |cell: usize| names::score(rows.iter().find(|r| r.cell == cell)?, metric);
    Some(score(to)?.value - score(from)?.value)
}
