//! The table as a pipe table of Markdown.

use crate::report::table::markup::{self, Cell, Markup, Table, pointed};
use crate::report::table::sheet::{Metric, Sheet};

/// A pipe table with the best values in bold; axes stand right, metrics left.
struct Markdown;

/// The table with the parts of its `caption` below, a line each.
pub fn table(sheet: &Sheet, caption: &[String]) -> String {
    let mut out = markup::write(sheet, &Markdown);
    out.push('\n');
    for part in caption {
        out.push_str(&escape(part));
        out.push_str("  \n");
    }
    out
}

impl Markup for Markdown {
    fn axis(&self, name: &str) -> String {
        escape(name)
    }

    fn metric(&self, metric: &Metric) -> String {
        escape(&pointed(&metric.label, metric.better, ["↓", "↑"]))
    }

    fn cell(&self, cell: &Cell) -> String {
        match cell {
            Cell::Value(text) => escape(text),
            Cell::Score(place) => {
                let entry = place.entry;
                let bold = if entry.best { "**" } else { "" };
                let value = format!("{bold}{}{bold}", entry.value);
                match &entry.interval {
                    Some(interval) => format!("{value} {interval}"),
                    None => value,
                }
            }
            Cell::Missing(why) => escape(why),
            Cell::Empty => String::new(),
        }
    }

    fn table(&self, table: &Table) -> String {
        let mut out = pipe(&table.heads);
        let right = std::iter::repeat_n("---:", table.axes);
        let left = std::iter::repeat_n(":---", table.metrics);
        let rules: Vec<String> = right.chain(left).map(String::from).collect();
        out.push_str(&pipe(&rules));
        out.extend(table.lines.iter().map(|line| pipe(&line.cells)));
        out
    }
}

/// A line of a pipe table.
pub fn pipe(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Text that Markdown shows as it stands.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
