//! The table as aligned text for a terminal, narrowed to its width by leaving intervals out from the right.

use crate::experiment::scoring::metric::Metric;
use crate::report::rows::input::Report;
use crate::report::table::caption;
use crate::report::table::sheet::Sheet;
use crate::report::table::tables::{Shown, cells};

/// `width` in characters; the first metric keeps its interval, whatever the width.
/// The lowest Fréchet distance among the cells that share a reference has a star.
pub fn table(sheet: &Sheet, width: usize) -> String {
    let mut out = String::new();
    for kept in (1..=sheet.metrics.len().max(1)).rev() {
        out = lay_out(&columns(sheet, kept));
        let widest = out.lines().map(|l| l.chars().count()).max();
        if widest.unwrap_or(0) <= width {
            break;
        }
    }
    out
}

/// The lines under the table: what was measured on what, then what the marks mean.
pub fn caption(report: &Report, sheet: &Sheet) -> String {
    let facts = caption::parts(report, sheet).join("; ");
    let starred = sheet.metrics.iter().any(|m| stars(&m.key));
    let legend = caption::legend(report, if starred { "* lowest" } else { "" });
    let lines = [Some(facts), legend];
    let lines = lines.into_iter().flatten().filter(|l| !l.is_empty());
    lines.map(|l| l + "\n").collect()
}

fn stars(metric: &str) -> bool {
    Metric::FRECHET.iter().any(|frechet| frechet.id() == metric)
}

struct Column {
    right: bool,
    head: String,
    cells: Vec<String>,
}

/// The sheet's columns, intervals in the first `kept` metrics only.
fn columns(sheet: &Sheet, kept: usize) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (i, name) in sheet.axes.iter().enumerate() {
        let cells: Vec<String> = sheet.all().iter().map(|l| l.at[i].clone()).collect();
        columns.push(Column {
            right: cells
                .iter()
                .all(|c| c.is_empty() || c.parse::<f64>().is_ok()),
            head: name.clone(),
            cells,
        });
    }
    let all = sheet.all();
    let lines: Vec<Vec<Shown>> = all.iter().map(|l| cells(l, &|_| String::new())).collect();
    for (i, metric) in sheet.metrics.iter().enumerate() {
        let starred = stars(&metric.key);
        let cell = |(line, shown): (&&crate::report::table::sheet::Line, &Vec<Shown>)| {
            let Some(entry) = &line.entries[i] else {
                return match &shown[i] {
                    Shown::Missing(why) => why.clone(),
                    Shown::Entry(text) => text.clone(),
                };
            };
            let mut text = entry.value.clone();
            // The source's number stays, however narrow it gets.
            let shown = i < kept || line.published();
            if let Some(interval) = entry.interval.as_ref().filter(|_| shown) {
                text.push(' ');
                text.push_str(interval);
            }
            if starred && entry.best {
                text.push_str(" *");
            }
            text
        };
        columns.push(Column {
            right: false,
            head: metric.label.clone(),
            cells: all.iter().zip(&lines).map(cell).collect(),
        });
    }
    columns
}

fn lay_out(columns: &[Column]) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .map(|c| {
            let cells = c.cells.iter().chain([&c.head]);
            // A reason for what is missing may run over the columns to its right.
            let own = cells.filter(|c| !c.starts_with("missing"));
            own.map(|c| c.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let count = columns.first().map_or(0, |c| c.cells.len());
    let mut out = String::new();
    for row in 0..=count {
        let mut line = String::new();
        let mut over = 0;
        for (column, &width) in columns.iter().zip(&widths) {
            let text = match row {
                0 => &column.head,
                row => &column.cells[row - 1],
            };
            let room = width.saturating_sub(over);
            let length = text.chars().count();
            over = length.saturating_sub(room);
            let pad = " ".repeat(room.saturating_sub(length));
            line.push_str("  ");
            match column.right {
                true => line.extend([pad.as_str(), text.as_str()]),
                false => line.extend([text.as_str(), pad.as_str()]),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
