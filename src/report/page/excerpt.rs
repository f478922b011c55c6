//! Which cells a page shows where a study has more than anybody reads on one, and the words that say so.

use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Better};
use crate::report::rows::seeds;
use crate::report::rows::values::thousands;
use crate::report::table::sheet::{Line, Sheet};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Cells, and lines of a table, that a page shows all of.
pub const MOST: usize = 500;
/// Lines that it shows of more, and of what is told cell by cell.
pub const SHOWN: usize = 100;

/// Some cells of a large study.
pub struct Excerpt {
    /// The lines that are shown, in the order that the report asks for, else the best first; the published ones as ever.
    pub sheet: Sheet,
    /// The numbers of the cells whose samples and keys are shown: the first of each line.
    pub cells: HashSet<usize>,
    /// Which lines they are: `The 100 of 10,000 cells with the lowest FD (shapes)`; none where every line is shown, in which
    /// many cells differ in their seeds alone.
    pub which: Option<String>,
}

impl Excerpt {
    /// The cells that the page shows; none where it shows all.
    pub fn of(report: &Report, sheet: &Sheet) -> Option<Excerpt> {
        if report.rows.len() <= MOST {
            return None;
        }
        let mut lines: Vec<&Line> = sheet.lines.iter().collect();
        let which = (lines.len() > MOST).then(|| first(report, sheet, &mut lines));
        Some(Excerpt {
            cells: lines.iter().map(|line| line.cell).collect(),
            sheet: Sheet {
                lines: lines.into_iter().cloned().collect(),
                ..sheet.clone()
            },
            which,
        })
    }
}

/// Leaves those lines that are shown of too many; the words for them.
fn first(report: &Report, sheet: &Sheet, lines: &mut Vec<&Line>) -> String {
    let ranked = sheet.metrics.iter().find(|metric| metric.better.is_some());
    let order = match (report.sort, ranked) {
        (Some(key), _) => format!("that come first by {key}"),
        (None, Some(metric)) => {
            let word = rank(report, lines, &metric.key);
            format!("with the {word} {}", metric.label)
        }
        (None, None) => "that come first".to_string(),
    };
    let word = match seeds::count(report.rows) {
        0 | 1 => "cells",
        _ => "variants",
    };
    let all = thousands(lines.len());
    lines.truncate(SHOWN);
    format!("The {SHOWN} of {all} {word} {order}")
}

/// Sorts lines by a metric from its good end, what is missing last; the word for that end.
fn rank(report: &Report, lines: &mut [&Line], metric: &str) -> &'static str {
    let variants = seeds::variants(report.rows).into_iter();
    let scores = variants.filter_map(|v| Some((v.row.cell, names::score(&v.row, metric)?.value)));
    let scores: HashMap<usize, f64> = scores.collect();
    let (sign, word) = match names::better(metric) {
        Some(Better::Higher) => (-1.0, "highest"),
        _ => (1.0, "lowest"),
    };
    let place = |line: &Line| scores.get(&line.cell).map_or(f64::INFINITY, |v| sign * v);
    lines.sort_by(|a, b| -> Ordering { place(a).total_cmp(&place(b)) });
    word
}

/// The first lines of a table that is too long for a page, and the words for it; none where it is not.
pub fn first_lines(sheet: &Sheet) -> Option<(Sheet, String)> {
    let all = sheet.lines.len();
    (all > MOST).then(|| {
        let lines = sheet.lines[..SHOWN].to_vec();
        let shown = Sheet {
            lines,
            ..sheet.clone()
        };
        let words = format!(
            "The first {SHOWN} of {} lines; table.md has all",
            thousands(all)
        );
        (shown, words)
    })
}
