//! The table of differences against the first row, as ablation tables in the literature show it; seeds are averaged.

use crate::experiment::file::experiment::Deltas;
use crate::experiment::grid::axis::Axis;
use crate::report::rows::input::Report;
use crate::report::rows::values::{exact, thousands, varies};
use crate::report::rows::{names, seeds};
use crate::report::table::sheet::{Entry, Group, Line, Sheet};
use crate::run::differences::{RESAMPLES, difference};
use crate::run::results::Row;
use anyhow::Result;
use std::collections::HashMap;

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
        sheet: deltas(sheet, report, &along)?,
        title: title(report, &along),
        caption: caption(report.rows),
    }))
}

/// What stands over the table; `along` as for `deltas`.
pub fn title(report: &Report, along: &[String]) -> String {
    let rows = report.rows;
    let keys = along.iter().map(String::as_str);
    let keys = keys.filter(|key| varies(rows, key));
    let base = match rows.first().filter(|_| !along.is_empty()) {
        Some(row) => format!(
            "Differences from {}, all else equal",
            report.axes.place(row, keys)
        ),
        None => "Differences from the first row of each reference".to_string(),
    };
    match seeds::count(rows) {
        0 | 1 => base,
        n => format!("{base}, means over {n} seeds"),
    }
}

/// What the brackets and the bold mean.
pub fn caption(rows: &[Row]) -> String {
    let bold = "bold: the interval does not contain 0";
    match seeds::trainings(rows) {
        0 | 1 => format!(
            "[low, high] = 95 % paired bootstrap over images ({} resamples, to first order); {bold}",
            thousands(RESAMPLES)
        ),
        _ => format!(
            "[low, high] = 95 % over seeds and images (Student's t of the seeds' differences and what images that all of \
             them drew add); (a; b) = each seed's difference; {bold}"
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
    // What is crossed within a case has its first row in each case; the cases are compared where the crossed agree.
    let moves = |axis: &Axis, other: &String| {
        if axis.crossed.contains(key) {
            other == key
        } else {
            !axis.crossed.contains(other)
        }
    };
    let keys = |axis: &Axis| {
        let keys = axis.lists.iter().map(|(k, _)| k);
        keys.filter(|other| moves(axis, other)).cloned().collect()
    };
    axes.next().map(keys).unwrap_or_default()
}

/// A line of the table and its cells, one a combination of seeds.
struct Variant<'a> {
    line: Line,
    cells: Vec<&'a Row>,
}

/// One line a variant: the first of each reference as it stands, the others as signed differences from it, each cell
/// against that of the same seeds. Where `along` names the keys of an axis, there is a first one for each combination
/// of the other axes. A difference is marked where it stands whatever images and seeds are drawn again.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn deltas(sheet: &Sheet, report: &Report, along: &[String]) -> Result<Sheet> {
    let variants = variants(sheet, report.rows);
    let bases = bases(&variants, along);
    let mut lines = Vec::new();
    for variant in &variants {
        let line = &variant.line;
        let Some(&base) = bases.get(&(line.group, elsewhere(variant, along))) else {
            lines.push(line.clone());
            continue;
        };
        let mut shown = line.clone();
        for (i, metric) in sheet.metrics.iter().enumerate() {
            let decimals = decimals(sheet, line.group, i);
            shown.entries[i] = if base.line.cell == line.cell {
                mean(&variant.cells, &metric.key, decimals)
            } else {
                against(&base.cells, &variant.cells, &metric.key, decimals)?
            };
        }
        lines.push(shown);
    }
    Ok(Sheet {
        lines,
        published: Vec::new(),
        ..sheet.clone()
    })
}

/// The variants of a sheet in its order.
fn variants<'a>(sheet: &Sheet, rows: &'a [Row]) -> Vec<Variant<'a>> {
    let of_cell: HashMap<usize, &Row> = rows.iter().map(|row| (row.cell, row)).collect();
    let variant = |line: &Line| Variant {
        line: line.clone(),
        cells: line
            .cells
            .iter()
            .filter_map(|cell| of_cell.get(cell).copied())
            .collect(),
    };
    sheet.lines.iter().map(variant).collect()
}

/// The variant that others are compared with, by their reference and by where they stand elsewhere: the first, and where
/// there is one for all of a reference the first that is scored.
fn bases<'v, 'a>(
    variants: &'v [Variant<'a>],
    along: &[String],
) -> HashMap<(Group, String), &'v Variant<'a>> {
    let scored = |base: &&Variant| base.cells.iter().any(|row| !row.scores.is_empty());
    let mut bases = HashMap::new();
    for base in variants
        .iter()
        .filter(|base| !along.is_empty() || scored(base))
    {
        let place = (base.line.group, elsewhere(base, along));
        bases.entry(place).or_insert(base);
    }
    bases
}

/// Where a variant stands on the axes that are not compared, as a text that the equal share; nowhere where all are.
fn elsewhere(variant: &Variant, along: &[String]) -> String {
    let Some(row) = variant.cells.first().filter(|_| !along.is_empty()) else {
        return String::new();
    };
    let others = seeds::place(row).into_iter();
    let others = others.filter(|(key, _)| !along.iter().any(|compared| compared == key));
    others
        .map(|(key, value)| format!("{key} = {}\n", exact(value)))
        .collect()
}

/// Decimals of a metric in the table that the differences are of.
fn decimals(sheet: &Sheet, group: Group, metric: usize) -> usize {
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
    let signed = |v: &f64| format!("{v:+.decimals$}");
    Ok(difference(&seeds::pairs(base, cells), metric)?.map(|by| {
        let brackets = by
            .interval()
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
