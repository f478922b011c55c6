//! The table of a profile: operations by time, and how long each process worked and waited.

use crate::cli::profile::trace::{Row, Totals};
use crate::cli::screen::terminal::{table, thousands};

/// `processes` are this one and its workers; shares are of this one's wall time.
pub fn text(processes: &[Totals]) -> String {
    let wall = processes.first().map_or(0.0, |first| first.wall);
    let share = |seconds: f64, of: f64| format!("{:.1} %", 100.0 * seconds / of.max(1e-9));
    let mut rows = vec![Vec::from(
        ["operation", "calls", "seconds", "of wall"].map(str::to_string),
    )];
    for row in merged(processes) {
        rows.push(vec![
            row.name,
            thousands(row.calls),
            format!("{:.3}", row.seconds),
            share(row.seconds, wall),
        ]);
    }
    let mut lines = vec![table(&rows, &[false, true, true, true]), String::new()];
    for process in processes {
        let rest = process.wall - process.worked - process.waited;
        lines.push(format!(
            "  {}: {:.3} s on {} threads: {} at work, {} waiting, {} outside every operation",
            process.process,
            process.wall,
            process.threads,
            share(process.worked, process.wall),
            share(process.waited, process.wall),
            share(rest.max(0.0), process.wall),
        ));
    }
    lines.join("\n")
}

/// The operations of all processes, those of work first, the longest first.
fn merged(processes: &[Totals]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for row in processes.iter().flat_map(|process| &process.operations) {
        match rows.iter_mut().find(|known| known.name == row.name) {
            Some(known) => {
                known.calls += row.calls;
                known.seconds += row.seconds;
            }
            None => rows.push(row.clone()),
        }
    }
    rows.sort_by(|a, b| {
        let waits = |row: &Row| row.kind == "wait";
        let longer = b.seconds.total_cmp(&a.seconds);
        waits(a).cmp(&waits(b)).then(longer)
    });
    rows
}
