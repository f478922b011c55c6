//! The table as HTML, for the page.

use crate::report::table::markup::{self, Cell, Markup, Place, Table, pointed};
use crate::report::table::sheet::{Line, Metric, Sheet};
use maud::{PreEscaped, html};

/// Columns of axes that stay where they are while the others scroll.
const KEPT: usize = 3;
/// Columns that may be told to hold words; more axes than anybody crosses.
const TOLD: usize = 6;
/// Characters of the longest line in a column of an axis.
const LONGEST: usize = 26;
/// Pixels that the page has for a table on a screen of 1,200.
const ROOM: f64 = 1120.0;
/// Pixels of a character at the size of values, and at that of intervals.
const CHARACTER: [f64; 2] = [8.6, 7.2];
/// Pixels between two columns.
const GAP: f64 = 15.0;

/// A `table` with the marked values in `strong`.
struct Html {
    /// The widths of the first columns, as variables of CSS.
    widths: String,
    /// Classes for the columns of axes that hold words, which stand left: `w1 w3`.
    words: String,
    /// Whether intervals stand below their values: beside them the table would be wider than a page.
    stacked: bool,
}

/// The table as a part of the page of the name `label` that scrolls where the page is too narrow for it.
pub fn table(sheet: &Sheet, label: &str) -> maud::Markup {
    let lines = sheet.all();
    let axes: Vec<usize> = (0..sheet.axes.len())
        .map(|i| axis(sheet, &lines, i))
        .collect();
    let metrics = sheet.metrics.iter().enumerate();
    let widths = axes
        .iter()
        .map(|characters| *characters as f64 * CHARACTER[0] + 1.5 * GAP);
    let width = widths.sum::<f64>() + metrics.map(|(i, m)| metric(m, &lines, i)).sum::<f64>();
    let named = ["a", "b", "c"].iter().zip(&axes).take(KEPT);
    let style = named.map(|(name, characters)| {
        let width = 0.62 * *characters as f64 + 1.6;
        format!("--{name}:{width:.1}rem")
    });
    let number = |text: &str| text.is_empty() || text.parse::<f64>().is_ok();
    let words = (0..axes.len().min(TOLD)).filter(|&i| !lines.iter().all(|l| number(&l.at[i])));
    let format = Html {
        widths: style.collect::<Vec<_>>().join(";"),
        words: words.map(|i| format!(" w{}", i + 1)).collect(),
        stacked: width > ROOM,
    };
    scrolling(label, &PreEscaped(markup::write(sheet, &format)))
}

/// A part of the page that scrolls sideways where it is too wide, by keyboard too.
pub fn scrolling(label: &str, wide: &maud::Markup) -> maud::Markup {
    html! { div.wide role="region" tabindex="0" aria-label=(label) { (wide) } }
}

/// Characters that the column of an axis is wide: as its values, and the longest part of its name that cannot be broken.
fn axis(sheet: &Sheet, lines: &[&Line], column: usize) -> usize {
    let values = lines.iter().map(|line| line.at[column].as_str());
    let parts = sheet.axes[column].split_inclusive(['_', '.']);
    let longest = values.chain(parts).map(|text| text.chars().count()).max();
    longest.unwrap_or(0).clamp(3, LONGEST)
}

/// Pixels that the column of a metric is wide with intervals beside their values.
fn metric(metric: &Metric, lines: &[&Line], column: usize) -> f64 {
    let entries = lines
        .iter()
        .filter_map(|line| line.entries[column].as_ref());
    let width = |text: &str, size: usize| text.chars().count() as f64 * CHARACTER[size];
    let entries = entries.map(|entry| {
        let interval = entry.interval.as_deref().unwrap_or_default();
        width(&entry.value, 0) + width(interval, 1)
    });
    entries.fold(width(&metric.label, 0) + 2.0 * CHARACTER[0], f64::max) + GAP
}

impl Markup for Html {
    fn axis(&self, name: &str) -> String {
        let parts = name.split_inclusive(['_', '.']).enumerate();
        let parts = parts.map(|(i, part)| html! { @if i > 0 { wbr; } (part) });
        html! { th.axis scope="col" { @for part in parts { (part) } } }.into_string()
    }

    fn metric(&self, metric: &Metric) -> String {
        html! { th scope="col" { (pointed(&metric.label, metric.better, ["↓", "↑"])) } }
            .into_string()
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
        let table = html! {
            table class={ "scores" (self.words) (if self.stacked { " stacked" } else { "" }) } style=(self.widths) {
                thead { tr { (cells(&table.heads)) } }
                tbody { (body) }
            }
        };
        table.into_string()
    }
}

fn score(place: &Place) -> maud::Markup {
    let entry = place.entry;
    html! {
        td {
            @if entry.best { strong { (entry.value) } } @else { (entry.value) }
            @if let Some(range) = &entry.interval {
                @for part in parts(range) { " " span.range { (part) } }
            }
        }
    }
}

/// An interval and what follows it in parentheses, which stand below each other where the table is narrow.
fn parts(range: &str) -> impl Iterator<Item = &str> {
    let (interval, rest) = match range.find("] (") {
        Some(end) => (&range[..=end], Some(&range[end + 2..])),
        None => (range, None),
    };
    std::iter::once(interval).chain(rest)
}
