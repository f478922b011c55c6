//! The charts that an experiment asks for, each as SVG and, when wanted, PNG.

use crate::experiment::file::experiment::Chart;
use crate::report::chart::lines::{self, Words};
use crate::report::chart::picture::Picture;
use crate::report::chart::scatter::{self, Pair};
use crate::report::chart::{canvas, series};
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::published;
use crate::report::table::sheet;
use anyhow::{Result, bail};

pub struct Figure {
    /// The file's name without its ending: `fd-vs-scale`.
    pub name: String,
    pub picture: Picture,
}

impl Figure {
    pub fn svg(&self) -> Result<String> {
        canvas::svg(&self.picture)
    }

    /// Twice the picture's pixels.
    pub fn png(&self) -> Result<Vec<u8>> {
        canvas::png(&self.picture, 2)
    }
}

/// Every chart of the experiment, one figure a metric, in file order.
pub fn figures(report: &Report) -> Result<Vec<Figure>> {
    let mut figures: Vec<Figure> = Vec::new();
    for chart in &report.sweep.charts {
        for mut figure in of(report, chart)? {
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
    Axis(String),
    Metric(String),
}

fn of(report: &Report, chart: &Chart) -> Result<Vec<Figure>> {
    let world = report.world();
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
    let by = by.collect::<Result<Vec<String>>>()?;
    let ys = match chart.y.iter().any(|y| y == "all") {
        true => metrics.clone(),
        false => chart.y.clone(),
    };
    let x = meaning(report, &chart.x, &metrics)?;
    let others = published::rows(report);
    let mut figures = Vec::new();
    for y in &ys {
        let Meaning::Metric(y) = meaning(report, y, &metrics)? else {
            bail!("chart.y = {y} is an axis; a metric goes up the chart");
        };
        let label = names::metric(&y, world);
        figures.push(match &x {
            Meaning::Axis(key) => {
                let data = series::lines(report.rows, &others, key, &by, &y);
                let words = Words {
                    metric: &y,
                    y: &label,
                    x: &names::axis_title(key),
                };
                let short = series::short(report.rows, key);
                Figure {
                    name: names::slug(&format!("{y}-vs-{short}")),
                    picture: lines::draw(&data, &words),
                }
            }
            Meaning::Metric(x) if *x == y => continue,
            Meaning::Metric(x) => {
                let pair = Pair {
                    x: (x, &names::metric(x, world)),
                    y: (&y, &label),
                };
                Figure {
                    name: names::slug(&format!("{y}-vs-{x}")),
                    picture: scatter::draw(report.rows, &others, &pair, &by),
                }
            }
        });
    }
    Ok(figures)
}

/// An axis by its full or short name, or a metric.
fn meaning(report: &Report, name: &str, metrics: &[String]) -> Result<Meaning> {
    if report.rows.iter().any(|r| names::at(r, name).is_some()) {
        return Ok(Meaning::Axis(name.to_string()));
    }
    let axes = sheet::axes(report.rows);
    let short = names::short(&axes, &[]);
    if let Some(i) = short.iter().position(|s| s == name) {
        return Ok(Meaning::Axis(axes[i].clone()));
    }
    if metrics.iter().any(|m| m == name) {
        return Ok(Meaning::Metric(name.to_string()));
    }
    let known: Vec<&str> = axes.iter().chain(metrics).map(String::as_str).collect();
    bail!(
        "chart: `{name}` is neither an axis nor a metric; allowed: {}",
        known.join(", ")
    )
}
