//! The table as aligned text for a terminal, narrowed to its width by leaving intervals out from the right.

use crate::report::rows::input::Report;
use crate::report::rows::names::ranks;
use crate::report::table::caption;
use crate::report::table::markup::{self, Cell, Markup, Place, Table};
use crate::report::table::sheet::{Metric, Sheet};

/// What `missing` begins with, wherever it stands.
const MISSING: &str = "missing";

/// Columns of text, with intervals in the first `kept` metrics only.
struct Text {
    kept: usize,
}

/// `width` in characters; the first metric keeps its interval, whatever the width.
/// The lowest Fréchet distance among the cells that share a reference has a star.
pub fn table(sheet: &Sheet, width: usize) -> String {
    let mut out = String::new();
    for kept in (1..=sheet.metrics.len().max(1)).rev() {
        out = markup::write(sheet, &Text { kept });
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
    let starred = sheet.metrics.iter().any(|m| ranks(&m.key));
    let legend = caption::legend(report, if starred { "* lowest" } else { "" });
    let lines = [Some(facts), legend];
    let lines = lines.into_iter().flatten().filter(|l| !l.is_empty());
    lines.map(|l| l + "\n").collect()
}

impl Markup for Text {
    fn axis(&self, name: &str) -> String {
        name.to_string()
    }

    fn metric(&self, metric: &Metric) -> String {
        metric.label.clone()
    }

    fn cell(&self, cell: &Cell) -> String {
        match cell {
            Cell::Value(text) => text.to_string(),
            Cell::Score(place) => self.score(place),
            Cell::Missing(why) => why.clone(),
            Cell::Empty => String::new(),
        }
    }

    fn table(&self, table: &Table) -> String {
        let columns: Vec<Column> = (0..table.heads.len())
            .map(|i| Column::of(table, i))
            .collect();
        let heads = line(&columns, &table.heads);
        let lines = table.lines.iter().map(|l| line(&columns, &l.cells));
        heads + &lines.collect::<String>()
    }
}

impl Text {
    fn score(&self, place: &Place) -> String {
        let entry = place.entry;
        let mut text = entry.value.clone();
        // Of a published score the bracket is the number of its source, which no width leaves out.
        let shown = place.column < self.kept || place.published;
        if let Some(interval) = entry.interval.as_ref().filter(|_| shown) {
            text.push(' ');
            text.push_str(interval);
        }
        if entry.best && ranks(&place.metric.key) {
            text.push_str(" *");
        }
        text
    }
}

/// How the texts of a column are padded.
struct Column {
    width: usize,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Column {
    /// Axes that hold numbers alone stand right.
    fn of(table: &Table, i: usize) -> Self {
        let cells = || table.lines.iter().map(|line| line.cells[i].as_str());
        let number = |cell: &str| cell.is_empty() || cell.parse::<f64>().is_ok();
        // A reason for what is missing may run over the columns to its right.
        let own = cells().chain([table.heads[i].as_str()]);
        let own = own.filter(|cell| !cell.starts_with(MISSING));
        Self {
            width: own.map(|cell| cell.chars().count()).max().unwrap_or(0),
            side: if i < table.axes && cells().all(number) {
                Side::Right
            } else {
                Side::Left
            },
        }
    }
}

/// One line of text. What is wider than its column takes room from the padding of the next ones.
fn line(columns: &[Column], cells: &[String]) -> String {
    let mut line = String::new();
    let mut over = 0;
    for (column, text) in columns.iter().zip(cells) {
        let room = column.width.saturating_sub(over);
        let length = text.chars().count();
        over = length.saturating_sub(room);
        let pad = " ".repeat(room.saturating_sub(length));
        line.push_str("  ");
        line.extend(match column.side {
            Side::Right => [pad.as_str(), text],
            Side::Left => [text, pad.as_str()],
        });
    }
    line.trim_end().to_string() + "\n"
}
