//! What a paper takes from a report: charts as PDF, tables of aligned numbers, and the works that a study names.

mod compiled;
mod pdf;
mod pdf_file;
mod references;
mod siunitx;

use crate::support::reports::EXPERIMENT;

/// The invented study of twelve cells, with charts for a column of this width.
fn of_column(column: &str) -> String {
    format!("{EXPERIMENT}\n[report]\ncolumn = \"{column}\"\n")
}
