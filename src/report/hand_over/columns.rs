//! What is handed over of every cell, found once a report.

use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::values;

/// The names under which a cell's values and scores stand.
pub struct Columns {
    /// Every key of the cells.
    pub keys: Vec<String>,
    /// The metrics of the cells' own images, in the order in which they first appear; baselines are measured on others.
    pub metrics: Vec<String>,
}

impl Columns {
    pub fn of(report: &Report) -> Columns {
        let mut metrics = names::metrics(report.rows);
        metrics.retain(|metric| !names::is_baseline(metric));
        Columns {
            keys: values::keys(report.rows),
            metrics,
        }
    }
}
