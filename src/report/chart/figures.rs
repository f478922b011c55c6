//! The charts that an experiment asks for, each as SVG and, when wanted, PNG or PDF.

use crate::experiment::file::experiment::Chart;
use crate::report::chart::layout::Layout;
use crate::report::chart::lines::{self, Words};
use crate::report::chart::picture::Picture;
use crate::report::chart::scatter::{self, Pair};
use crate::report::chart::series::{self, Shown};
use crate::report::chart::{canvas, pdf, svg};
use crate::report::rows::axes::{self, Axes};
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::seeds;
use crate::report::rows::values::{at, same};
use crate::report::table::sheet;
use crate::run::results::Row;
use anyhow::{Result, bail};

pub struct Figure {
    /// The file's name without its ending: `fd-vs-scale`.
    pub name: String,
    pub picture: Picture,
    /// Points (1/72 inch) a unit of the picture.
    pub points: f64,
}

impl Figure {
    pub fn svg(&self) -> String {
        svg::svg(&self.picture)
    }

    /// Twice the picture's pixels a side.
    ///
    /// # Errors
    /// Where the picture cannot be drawn or encoded.
    pub fn png(&self) -> Result<Vec<u8>> {
        canvas::png(&self.picture, 2)
    }

    /// One page of the picture's size in points, its texts as text.
    ///
    /// # Errors
    /// Where the font cannot be embedded.
    pub fn pdf(&self) -> Result<Vec<u8>> {
        pdf::document::pdf(&self.picture, self.points)
    }
}

/// Every chart of the experiment as the page has it, one figure a metric, in file order.
///
/// # Errors
/// Where a chart names what is neither an axis nor a metric, or takes one for the other.
pub fn figures(report: &Report) -> Result<Vec<Figure>> {
    laid_out(report, &Layout::PAGE)
}

/// The same figures of another layout.
///
/// # Errors
/// As [`figures`].
pub fn laid_out(report: &Report, layout: &Layout) -> Result<Vec<Figure>> {
    let mut figures: Vec<Figure> = Vec::new();
    for chart in &report.sweep.charts {
        for mut figure in of(report, chart, layout)? {
            let same = |f: &Figure, name: &str| f.name == name;
            if figures.iter().any(|f| same(f, &figure.name)) && !chart.by.is_empty() {
                let by = names::slug(&chart.by.join("-"));
                figure.name = format!("{}-by-{by}", figure.name);
            }
            if !figures.iter().any(|f| same(f, &figure.name)) {
                figures.push(figure);
            }
        }
    }
    Ok(figures)
}

/// What a name of a chart stands for.
enum Meaning {
    /// The full key of an axis.
    Axis(String),
    Metric(String),
}

/// The figures of a chart, of the cells that it is of.
fn of(report: &Report, chart: &Chart, layout: &Layout) -> Result<Vec<Figure>> {
    let place = chart.place();
    if place.is_empty() {
        return of_rows(
            report,
            chart,
            &Frame {
                page: report.rows,
                place: "",
                layout,
            },
        );
    }
    let stands = |row: &Row| place.iter().all(|(key, v)| same(at(row, key), Some(v)));
    let rows = report.rows.iter().filter(|row| stands(row)).cloned();
    let rows: Vec<Row> = rows.collect();
    let mut published = report.published.clone();
    published.retain(stands);
    let part = Report {
        sweep: report.sweep,
        resolved: report.resolved,
        rows: &rows,
        axes: Axes::of(&rows),
        published,
        warnings: report.warnings,
        sort: report.sort,
    };
    let told = place.iter().map(|(key, v)| report.axes.label(key, v));
    let told = told.collect::<Vec<_>>().join(", ");
    let frame = Frame {
        page: report.rows,
        place: &format!(" at {told}"),
        layout,
    };
    let mut figures = of_rows(&part, chart, &frame)?;
    for figure in &mut figures {
        figure.name = format!("{}-at-{}", figure.name, names::slug(&told));
    }
    Ok(figures)
}

/// What the figures of a chart stand in.
struct Frame<'a> {
    /// The rows of the whole page.
    page: &'a [Row],
    /// ` at scale 5`: follows the name of what goes up.
    place: &'a str,
    layout: &'a Layout,
}

/// The figures of a chart of the report's cells.
fn of_rows(report: &Report, chart: &Chart, frame: &Frame) -> Result<Vec<Figure>> {
    let metrics: Vec<String> = sheet::metrics(report).into_iter().map(|m| m.key).collect();
    let by = chart
        .by
        .iter()
        .map(|by| match meaning(report, by, &metrics)? {
            Meaning::Axis(key) => Ok(key),
            Meaning::Metric(name) => {
                bail!("chart.by = {name} is a metric; an axis makes the lines")
            }
        });
    let mut by = by.collect::<Result<Vec<String>>>()?;
    // Seeds repeat a point of a line; they part no lines.
    by.retain(|key| !seeds::repeats(report.rows, key));
    let ys = if chart.y.iter().any(|y| y == "all") {
        &metrics
    } else {
        &chart.y
    };
    let x = meaning(report, &chart.x, &metrics)?;
    let mut figures = Vec::new();
    for y in ys {
        let Meaning::Metric(y) = meaning(report, y, &metrics)? else {
            bail!("chart.y = {y} is an axis; a metric goes up the chart");
        };
        figures.extend(match &x {
            Meaning::Axis(key) => Some(over_axis(report, key, &by, (&y, frame))),
            Meaning::Metric(x) => (*x != y).then(|| over_metric(report, x, &by, (&y, frame))),
        });
    }
    Ok(figures)
}

/// The metric `y` over the axis of the full key `x`.
fn over_axis(report: &Report, x: &str, by: &[String], (y, frame): (&str, &Frame)) -> Figure {
    let shown = Shown {
        page: frame.page,
        x,
        by,
        metric: y,
    };
    let words = Words {
        metric: y,
        y: &format!("{}{}", names::label(y, report.world()), frame.place),
        x: &axes::title(x),
    };
    Figure {
        name: names::slug(&format!("{y}-vs-{}", report.axes.name(x))),
        picture: lines::draw(&series::lines(report, &shown), &words, frame.layout),
        points: frame.layout.points,
    }
}

/// The metric `y` over the metric `x`.
fn over_metric(report: &Report, x: &str, by: &[String], (y, frame): (&str, &Frame)) -> Figure {
    let label = |metric| names::label(metric, report.world());
    let pair = Pair {
        x: (x, &label(x)),
        y: (y, &format!("{}{}", label(y), frame.place)),
    };
    Figure {
        name: names::slug(&format!("{y}-vs-{x}")),
        picture: scatter::draw(report, &pair, by, frame.layout),
        points: frame.layout.points,
    }
}

/// An axis by its full or short name, or a metric.
fn meaning(report: &Report, name: &str, metrics: &[String]) -> Result<Meaning> {
    if report.rows.iter().any(|row| at(row, name).is_some()) {
        return Ok(Meaning::Axis(name.to_string()));
    }
    if let Some(axis) = report.axes.find(name) {
        return Ok(Meaning::Axis(axis.key.clone()));
    }
    if metrics.iter().any(|m| m == name) {
        return Ok(Meaning::Metric(name.to_string()));
    }
    let axes = report.axes.all.iter().map(|axis| &axis.key);
    let known: Vec<&str> = axes.chain(metrics).map(String::as_str).collect();
    bail!(
        "chart: `{name}` is neither an axis nor a metric; allowed: {}",
        known.join(", ")
    )
}
