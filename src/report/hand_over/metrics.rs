//! Which metrics are handed over.

use crate::report::rows::names;
use crate::run::results::Row;

/// The metrics of the cells' own images, in the order in which they first appear; baselines are measured on others.
pub fn of_cells(rows: &[Row]) -> Vec<String> {
    let mut metrics = names::metrics(rows);
    metrics.retain(|metric| !names::is_baseline(metric));
    metrics
}
