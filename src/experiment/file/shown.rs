//! What the file wants shown, `[[chart]]` and `[report]`, against its axes and metrics.

use crate::experiment::file::experiment::{Chart, Deltas, ReportOptions};
use crate::experiment::grid::axis::Axis;
use crate::experiment::scoring::metric::Metric;
use anyhow::{Result, ensure};

/// Rows are compared along an axis that there is.
pub fn check_deltas(report: &ReportOptions, axes: &[Axis]) -> Result<()> {
    let Deltas::Along(key) = &report.deltas else {
        return Ok(());
    };
    let names = axes.iter().flat_map(|axis| axis.lists.iter());
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    ensure!(
        names.contains(&key.as_str()),
        "report.deltas = \"{key}\" is not an axis ({})",
        if names.is_empty() {
            "there is none".to_string()
        } else {
            names.join(", ")
        }
    );
    Ok(())
}

/// The columns of a report's table that are no axes.
pub struct Columns<'a> {
    pub metrics: &'a [Metric],
    /// `eval.command` adds columns whose names only its output tells.
    pub measured_by_program: bool,
}

/// What a chart names must be an axis or a metric of the file.
pub fn check_charts(charts: &[Chart], axes: &[Axis], columns: &Columns) -> Result<()> {
    let names: Vec<&str> = axes
        .iter()
        .flat_map(|axis| axis.lists.iter().map(|(name, _)| name.as_str()))
        .collect();
    let metrics: Vec<&str> = columns.metrics.iter().map(|metric| metric.id()).collect();
    let is_column = |name: &str| columns.measured_by_program || metrics.contains(&name);
    let list = |names: &[&str]| {
        if names.is_empty() {
            "none here".to_string()
        } else {
            names.join(", ")
        }
    };
    for (n, chart) in charts.iter().enumerate() {
        let place = format!("[[chart]] {}", n + 1);
        ensure!(
            names.contains(&chart.x.as_str()) || is_column(&chart.x),
            "{place}: x = \"{}\" is neither an axis ({}) nor a metric ({})",
            chart.x,
            list(&names),
            list(&metrics),
        );
        ensure!(!chart.y.is_empty(), "{place}: y names no metric");
        for y in chart.y.iter().filter(|y| *y != "all") {
            ensure!(
                is_column(y),
                "{place}: y = \"{y}\" is not a metric of [eval] ({})",
                list(&metrics),
            );
        }
        for by in &chart.by {
            ensure!(
                names.contains(&by.as_str()),
                "{place}: by = \"{by}\" is not an axis ({})",
                list(&names),
            );
        }
    }
    Ok(())
}
