//! The table as HTML, for the page.

use crate::report::table::markup::{self, Cell, Markup, Place, Table, pointed};
use crate::report::table::sheet::{Metric, Sheet};
use maud::{PreEscaped, html};

/// A `table` with the best values in `strong`.
struct Html;

/// The table as a `div` that scrolls where the page is too narrow for it.
pub fn table(sheet: &Sheet) -> maud::Markup {
    PreEscaped(markup::write(sheet, &Html))
}

impl Markup for Html {
    fn axis(&self, name: &str) -> String {
        html! { th.axis { (name) } }.into_string()
    }

    fn metric(&self, metric: &Metric) -> String {
        html! { th { (pointed(&metric.label, metric.better, ["↓", "↑"])) } }.into_string()
    }

    fn cell(&self, cell: &Cell) -> String {
        let cell = match cell {
            Cell::Value(text) => html! { td.axis { (text) } },
            Cell::Score(place) => score(place),
            Cell::Missing(why) => html! { td.missing { (why) } },
            Cell::Empty => html! { td {} },
        };
        cell.into_string()
    }

    fn table(&self, table: &Table) -> String {
        let cells = |cells: &[String]| PreEscaped(cells.concat());
        let lines = table.lines.iter();
        let lines = lines.map(|line| html! { tr.part[line.parted] { (cells(&line.cells)) } });
        let body = PreEscaped(lines.map(|line| line.into_string()).collect::<String>());
        let table = html! { table { thead { tr { (cells(&table.heads)) } } tbody { (body) } } };
        html! { div.wide { (table) } }.into_string()
    }
}

fn score(place: &Place) -> maud::Markup {
    let entry = place.entry;
    html! {
        td {
            @if entry.best { strong { (entry.value) } } @else { (entry.value) }
            @if let Some(range) = &entry.interval { " " span.range { (range) } }
        }
    }
}
