//! The table of differences against the first row, as ablation tables in the literature show it.

use crate::report::names;
use crate::report::sheet::{Entry, Line, Sheet};
use crate::run::differences::{RESAMPLES, difference};
use crate::run::results::Row;
use anyhow::Result;

/// Stands over the table.
pub const TITLE: &str =
    "Differences from the first row of each reference, of the same seed where seeds vary";

/// Axes that repeat a cell instead of changing what it is.
const SEEDS: [&str; 2] = ["train.seed", "sample.seed"];

/// What the brackets and the bold mean.
pub fn caption() -> String {
    format!(
        "[low, high] = 95 % paired bootstrap over images ({} resamples, to first order); bold: it does not hold 0",
        names::thousands(RESAMPLES)
    )
}

/// The sheet with the first scored line of each reference as it stands, the others as signed differences from it. A
/// difference is marked where its interval does not hold 0; it has one where both cells drew the same images.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn deltas(sheet: &Sheet, rows: &[Row]) -> Result<Sheet> {
    let mut deltas = sheet.clone();
    deltas.published.clear();
    let row = |cell: usize| rows.iter().find(|r| r.cell == cell);
    let seeds = |line: &Line| row(line.cell).map(|r| SEEDS.map(|key| names::at(r, key).cloned()));
    for (line, plain) in deltas.lines.iter_mut().zip(&sheet.lines) {
        let first = |l: &&Line| {
            let scored = l.entries.iter().any(Option::is_some);
            l.group == plain.group && scored && seeds(l) == seeds(plain)
        };
        let Some(base) = sheet.lines.iter().find(first) else {
            continue;
        };
        for (entry, metric) in line.entries.iter_mut().zip(&sheet.metrics) {
            let Some(shown) = entry else { continue };
            (shown.interval, shown.best) = (None, false);
            let (Some(from), Some(to)) = (row(base.cell), row(plain.cell)) else {
                continue;
            };
            if from.cell == to.cell {
                continue;
            }
            let decimals = shown.value.split_once('.').map_or(0, |(_, d)| d.len());
            *entry = difference(from, to, &metric.key)?.map(|by| Entry {
                value: format!("{:+.decimals$}", by.value),
                interval: by
                    .interval
                    .map(|(low, high)| format!("[{low:+.decimals$}, {high:+.decimals$}]")),
                best: by
                    .interval
                    .is_some_and(|(low, high)| low > 0.0 || high < 0.0),
            });
        }
    }
    Ok(deltas)
}
