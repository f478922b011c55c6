//! The table of differences against the first row, as ablation tables in the literature show it; seeds are averaged.

use crate::experiment::file::experiment::Deltas;
use crate::experiment::grid::axes::Axis;
use crate::report::chart::series;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::table::sheet::{self, Entry, Line, Sheet};
use crate::run::differences::{RESAMPLES, difference};
use crate::run::results::Row;
use anyhow::Result;

/// Axes that repeat a cell instead of changing what it is.
const SEEDS: [&str; 3] = ["train.seed", "guidance.train.seed", "sample.seed"];

/// The table of differences and its words.
pub struct Differences {
    pub sheet: Sheet,
    /// What stands over it.
    pub title: String,
    /// What its brackets and its bold mean.
    pub caption: String,
}

/// The differences that a report asks for.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn differences(report: &Report, sheet: &Sheet) -> Result<Option<Differences>> {
    let asked = report.spec().map(|spec| &spec.report.deltas);
    let (Some(Deltas::First(true)) | Some(Deltas::Along(_))) = asked else {
        return Ok(None);
    };
    let along = along(report);
    Ok(Some(Differences {
        sheet: deltas(sheet, report.rows, &along)?,
        title: title(report.rows, &along),
        caption: caption(report.rows),
    }))
}

/// What stands over the table; `along` as for `deltas`.
pub fn title(rows: &[Row], along: &[String]) -> String {
    let first = |row: &Row| {
        let parts = along.iter().filter(|key| varies(rows, key));
        let parts = parts.filter_map(|key| Some(series::label(rows, key, names::at(row, key)?)));
        parts.collect::<Vec<_>>().join(", ")
    };
    let base = match rows.first().filter(|_| !along.is_empty()) {
        Some(row) => format!("Differences from {}, all else equal", first(row)),
        None => "Differences from the first row of each reference".to_string(),
    };
    match seeds(rows) {
        0 | 1 => base,
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

/// The keys of the axis along which rows are compared; none where each is compared with the first.
fn along(report: &Report) -> Vec<String> {
    let asked = report.spec().map(|spec| &spec.report.deltas);
    let Some(Deltas::Along(key)) = asked else {
        return Vec::new();
    };
    let axes = report.sweep.axes.iter();
    let mut axes = axes.filter(|axis| axis.lists.iter().any(|(k, _)| k == key));
    let keys = |axis: &Axis| axis.lists.iter().map(|(k, _)| k.clone()).collect();
    axes.next().map(keys).unwrap_or_default()
}

fn varies(rows: &[Row], key: &str) -> bool {
    let mut values = rows.iter().map(|row| names::at(row, key));
    let first = values.next();
    values.any(|value| Some(value) != first)
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

fn seed(row: &Row) -> [Option<&toml::Value>; SEEDS.len()] {
    SEEDS.map(|key| names::at(row, key))
}

/// One line a variant: the first of each reference as it stands, the others as signed differences from it, each cell
/// against that of the same seeds. Where `along` names the keys of an axis, there is a first one for each combination
/// of the other axes. A difference is marked where it stands whatever images and seeds are drawn again.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn deltas(sheet: &Sheet, rows: &[Row], along: &[String]) -> Result<Sheet> {
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
    // Where a row stands on the axes that are not compared.
    let rest = |cells: &[&Row]| -> Vec<(String, toml::Value)> {
        let at = cells.first().map(|row| row.at.clone()).unwrap_or_default();
        let other = |key: &String| !along.contains(key) && !SEEDS.contains(&key.as_str());
        at.into_iter().filter(|(key, _)| other(key)).collect()
    };
    let mut lines = Vec::new();
    for (line, cells) in &variants {
        let first = |(l, others): &&(Line, Vec<&Row>)| match along.is_empty() {
            true => l.group == line.group && others.iter().any(|row| !row.scores.is_empty()),
            false => l.group == line.group && rest(others) == rest(cells),
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
