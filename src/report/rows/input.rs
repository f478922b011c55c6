//! What a report is made of.

use crate::experiment::file::experiment::{Eval, Experiment, Sampling};
use crate::experiment::grid::sweep::Sweep;
use crate::report::rows::axes::Axes;
use crate::report::rows::published;
use crate::run::results::Row;

/// The finished cells of a study, and what all tables, charts and sentences need to know of them.
pub struct Report<'a> {
    pub sweep: &'a Sweep,
    /// The experiment as text, to be shown with the results.
    pub resolved: &'a str,
    /// One a cell, in grid order.
    pub rows: &'a [Row],
    /// What tells the rows apart.
    pub axes: Axes,
    /// One a `[[published]]` table, in file order.
    pub published: Vec<Row>,
    pub warnings: &'a [String],
    /// An axis or a metric that orders the tables; grid order without it.
    pub sort: Option<&'a str>,
}

impl<'a> Report<'a> {
    /// The report of a sweep's rows in grid order, without warnings.
    pub fn new(sweep: &'a Sweep, rows: &'a [Row]) -> Self {
        Self {
            sweep,
            resolved: &sweep.resolved,
            rows,
            axes: Axes::of(rows),
            published: published::rows(sweep, rows),
            warnings: &[],
            sort: None,
        }
    }

    /// The first cell's experiment: right for all cells in everything that is no axis.
    pub fn spec(&self) -> Option<&'a Experiment> {
        self.sweep.cells.first().map(|c| &c.spec)
    }

    /// Where the images come from.
    pub fn sample(&self) -> Option<&'a Sampling> {
        self.spec()?.sample.as_ref()
    }

    pub fn eval(&self) -> Option<&'a Eval> {
        self.spec()?.scores()
    }

    /// The world that the feature net belongs to, as it names the metrics.
    pub fn world(&self) -> &'a str {
        let mut evals = self.sweep.cells.iter().filter_map(|c| c.spec.scores());
        match evals.next() {
            None => "unknown features",
            Some(first) if evals.all(|e| e.features == first.features) => &first.features,
            Some(_) => "several nets",
        }
    }
}
