//! The table of differences against the first row, as ablation tables in the literature show it; seeds are averaged.

use crate::report::names;
use crate::report::sheet::{self, Entry, Line, Sheet};
use crate::run::differences::{RESAMPLES, difference};
use crate::run::results::Row;
use anyhow::Result;

/// Axes that repeat a cell instead of changing what it is.
const SEEDS: [&str; 2] = ["train.seed", "sample.seed"];

/// What stands over the table.
pub fn title(rows: &[Row]) -> String {
    let base = "Differences from the first row of each reference";
    match seeds(rows) {
        0 | 1 => base.to_string(),
        n => format!("{base}, means over {n} seeds"),
    }
}

/// What the brackets and the bold mean.
pub fn caption(rows: &[Row]) -> String {
    let resamples = names::thousands(RESAMPLES);
    let brackets = format!(
        "[low, high] = 95 % paired bootstrap over images ({resamples} resamples, to first order)"
    );
    match seeds(rows) {
        0 | 1 => format!("{brackets}; bold: it does not hold 0"),
        _ => format!(
            "{brackets}; (a; b) = each seed's difference; bold: the interval does not hold 0 and every seed agrees"
        ),
    }
}

/// Combinations of seeds among the cells.
fn seeds(rows: &[Row]) -> usize {
    let mut seen = Vec::new();
    for row in rows {
        let seed = seed(row);
        if !seen.contains(&seed) {
            seen.push(seed);
        }
    }
    seen.len()
}

fn seed(row: &Row) -> [Option<&toml::Value>; 2] {
    SEEDS.map(|key| names::at(row, key))
}

/// One line a variant: the first of each reference as it stands, the others as signed differences from it, each cell
/// against that of the same seeds. A difference is marked where it stands whatever images and seeds are drawn again.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn deltas(sheet: &Sheet, rows: &[Row]) -> Result<Sheet> {
    let axes = sheet::axes(rows);
    let short = names::short(&axes, &[]);
    let repeats = |name: &String| {
        let at = short.iter().position(|s| s == name);
        at.is_some_and(|i| SEEDS.contains(&axes[i].as_str()))
    };
    let kept: Vec<usize> = (0..sheet.axes.len())
        .filter(|i| !repeats(&sheet.axes[*i]))
        .collect();
    let mut variants: Vec<(Line, Vec<&Row>)> = Vec::new();
    for line in &sheet.lines {
        let Some(row) = rows.iter().find(|r| r.cell == line.cell) else {
            continue;
        };
        let at: Vec<String> = kept.iter().map(|&i| line.at[i].clone()).collect();
        let same =
            |(known, _): &&mut (Line, Vec<&Row>)| known.group == line.group && known.at == at;
        match variants.iter_mut().find(same) {
            Some((known, cells)) => {
                known.missing = known.missing.take().or(line.missing.clone());
                cells.push(row);
            }
            None => variants.push((Line { at, ..line.clone() }, vec![row])),
        }
    }
    let mut lines = Vec::new();
    for (line, cells) in &variants {
        let first = |(l, cells): &&(Line, Vec<&Row>)| {
            l.group == line.group && cells.iter().any(|row| !row.scores.is_empty())
        };
        let Some((base, base_cells)) = variants.iter().find(first) else {
            lines.push(line.clone());
            continue;
        };
        let mut shown = line.clone();
        for (i, metric) in sheet.metrics.iter().enumerate() {
            let decimals = decimals(sheet, line.group, i);
            shown.entries[i] = match base.cell == line.cell {
                true => mean(cells, &metric.key, decimals),
                false => against(base_cells, cells, &metric.key, decimals)?,
            };
        }
        lines.push(shown);
    }
    Ok(Sheet {
        axes: kept.iter().map(|&i| sheet.axes[i].clone()).collect(),
        metrics: sheet.metrics.clone(),
        lines,
        published: Vec::new(),
        fixed: sheet.fixed.clone(),
    })
}

/// Decimals of a metric in the table that the differences are of.
fn decimals(sheet: &Sheet, group: usize, metric: usize) -> usize {
    let entries = sheet.lines.iter().filter(|l| l.group == group);
    let mut entries = entries.filter_map(|l| l.entries[metric].as_ref());
    let digits = entries.next().and_then(|e| e.value.split_once('.'));
    digits.map_or(0, |(_, digits)| digits.len())
}

/// A variant's mean over its scored cells.
fn mean(cells: &[&Row], metric: &str, decimals: usize) -> Option<Entry> {
    let scores = cells.iter().filter_map(|row| names::score(row, metric));
    let values: Vec<f64> = scores.map(|s| s.value).collect();
    let value = values.iter().sum::<f64>() / values.len().max(1) as f64;
    (!values.is_empty()).then(|| Entry {
        value: format!("{value:.decimals$}"),
        interval: None,
        best: false,
    })
}

fn against(base: &[&Row], cells: &[&Row], metric: &str, decimals: usize) -> Result<Option<Entry>> {
    let pairs: Vec<(&Row, &Row)> = cells
        .iter()
        .filter_map(|to| Some((*base.iter().find(|from| seed(from) == seed(to))?, *to)))
        .collect();
    let signed = |v: &f64| format!("{v:+.decimals$}");
    Ok(difference(&pairs, metric)?.map(|by| {
        let brackets = by
            .interval
            .map(|(low, high)| format!("[{}, {}]", signed(&low), signed(&high)));
        let each: Vec<String> = by.each.iter().map(signed).collect();
        let each = (each.len() > 1).then(|| format!("({})", each.join("; ")));
        let notes: Vec<String> = brackets.into_iter().chain(each).collect();
        Entry {
            value: signed(&by.value),
            best: by.stands(),
            interval: (!notes.is_empty()).then(|| notes.join(" ")),
        }
    }))
}
