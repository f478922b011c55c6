//! What every format of a table has to write, and the walk over a sheet that is the same for all.

use crate::report::rows::names::Better;
use crate::report::table::sheet::{Entry, Line, Metric, Sheet};

/// One format of a table. Texts come as they are; escaping is the format's.
pub trait Markup {
    /// The head of a column of axis values.
    fn axis(&self, name: &str) -> String;

    /// The head of a metric's columns.
    fn metric(&self, metric: &Metric) -> String;

    /// A place below the heads.
    fn cell(&self, cell: &Cell) -> String;

    /// The whole table of places that the other functions wrote.
    fn table(&self, table: &Table) -> String;
}

/// A place of a table.
pub enum Cell<'a> {
    /// A value of an axis.
    Value(&'a str),
    Score(Place<'a>),
    /// Why a line has no scores; said once a line, in its first empty metric column.
    Missing(String),
    Empty,
}

/// A score and where it stands.
pub struct Place<'a> {
    pub entry: &'a Entry,
    pub metric: &'a Metric,
    /// The metric's number from 0.
    pub column: usize,
    pub published: bool,
}

/// A table whose places are written.
pub struct Table {
    /// Columns of axis values, left of those of metrics.
    pub axes: usize,
    pub metrics: usize,
    pub heads: Vec<String>,
    pub lines: Vec<Written>,
}

/// A line whose places are written.
pub struct Written {
    pub cells: Vec<String>,
    /// Whether this line begins another group than the one above it.
    pub parted: bool,
}

/// A sheet in a format.
pub fn write(sheet: &Sheet, markup: &dyn Markup) -> String {
    let axes = sheet.axes.iter().map(|name| markup.axis(name));
    let metrics = sheet.metrics.iter().map(|metric| markup.metric(metric));
    let lines = sheet
        .all()
        .into_iter()
        .zip(sheet.parted())
        .map(|(line, parted)| Written {
            cells: places(sheet, line).iter().map(|c| markup.cell(c)).collect(),
            parted,
        });
    markup.table(&Table {
        axes: sheet.axes.len(),
        metrics: sheet.metrics.len(),
        heads: axes.chain(metrics).collect(),
        lines: lines.collect(),
    })
}

/// The places of a line, those of the axes first.
fn places<'a>(sheet: &'a Sheet, line: &'a Line) -> Vec<Cell<'a>> {
    let mut places: Vec<Cell> = line.at.iter().map(|value| Cell::Value(value)).collect();
    // What a publication does not say is not missing here.
    let mut said = line.published();
    for (column, (metric, entry)) in sheet.metrics.iter().zip(&line.entries).enumerate() {
        places.push(match entry {
            Some(entry) => Cell::Score(Place {
                entry,
                metric,
                column,
                published: line.published(),
            }),
            None if said => Cell::Empty,
            None => Cell::Missing(missing(line)),
        });
        said |= entry.is_none();
    }
    places
}

/// Why a place is empty.
fn missing(line: &Line) -> String {
    let why = line.missing.as_deref().and_then(|w| w.lines().next());
    match why {
        Some("") | Some("missing") => "missing".into(),
        Some(why) => format!("missing ({why})"),
        None => "not measured".into(),
    }
}

/// A metric's label with an arrow to its good end, as far as it has one.
pub fn pointed(label: &str, better: Option<Better>, [down, up]: [&str; 2]) -> String {
    match better {
        Some(Better::Lower) => format!("{label} {down}"),
        Some(Better::Higher) => format!("{label} {up}"),
        None => label.to_string(),
    }
}
