//! README.txt of a bundle: what made it, what is missing, and what each file is.

use crate::report::page::format::BIBLIOGRAPHY;
use crate::report::rows::input::Report;
use crate::report::rows::values::thousands;

pub const README: &str = "README.txt";
pub const DIGESTS: &str = "digests.txt";
/// The experiment file as it was given, and with everything written out.
pub const EXPERIMENT: &str = "experiment.toml";
pub const RESOLVED: &str = "resolved.toml";

/// Missing cells that are named.
const NAMED: usize = 50;

/// The text, with a line a file of `names`.
pub fn readme(report: &Report, command: &str, names: &[&str]) -> String {
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0);
    let line = |name: &&str| format!("  {name:<width$}  {}\n", meaning(name));
    let files: String = names.iter().map(line).collect();
    format!(
        "The study `{}`, for a paper\n\nMade by\n  {command}\n  runner {}\n\n{}\n\nFiles\n{files}\n\
         A chart's PDF is as wide as `report.column` asks for: it needs no width where it is included.\n\
         table.tex names the packages it needs in its first line. In a paper:\n\n  \
         \\usepackage{{booktabs,graphicx}}\n  \\input{{table}}\n  \\includegraphics{{CHART.pdf}}\n  \
         \\bibliography{{references}}\n",
        report.sweep.name,
        env!("CARGO_PKG_VERSION"),
        cells(report),
    )
}

/// How many cells there are, and which are missing.
fn cells(report: &Report) -> String {
    let missing = report.rows.iter();
    let missing: Vec<String> = missing
        .filter_map(|row| {
            // A reason may be any error.
            let why = row.missing.as_deref()?.lines().next().unwrap_or_default();
            let why: String = why.chars().filter(|c| !c.is_control()).collect();
            let keys = report.axes.varying().map(|axis| axis.key.as_str());
            let place = report.axes.place(row, keys);
            let place = Some(place).filter(|place| !place.is_empty());
            let place = place.map_or(String::new(), |place| format!(", {place}"));
            Some(format!("  cell {}{place}: {why}\n", row.cell))
        })
        .collect();
    let all = thousands(report.rows.len());
    if missing.is_empty() {
        return format!("Cells\n  all {all} are finished");
    }
    let mut text = format!("Cells\n  missing: {} of {all}\n", thousands(missing.len()));
    text.extend(missing.iter().take(NAMED).map(String::as_str));
    if let more @ 1.. = missing.len().saturating_sub(NAMED) {
        text += &format!(
            "  and {} more: see the column `state` of table.csv\n",
            thousands(more)
        );
    }
    text.trim_end().to_string()
}

/// What a file of a bundle is.
fn meaning(name: &str) -> &'static str {
    match name {
        "index.html" => {
            "everything on one page, with charts and samples inside; needs no other file"
        }
        "table.csv" => "every cell, axis and metric with interval and count, full digits",
        "table.md" => "the same rounded, as Markdown",
        "table.tex" => "the same rounded, for \\input into a LaTeX document",
        BIBLIOGRAPHY => "the works that the experiment file names, and the program, as BibTeX",
        EXPERIMENT => "the experiment file as it was given",
        RESOLVED => {
            "the same with the command's changes, its [defaults] and everything left out written out"
        }
        DIGESTS => "the sha256 of every file here, and of what the results rest on",
        README => "this text",
        _ if name.ends_with(".pdf") => "a chart at its printed size",
        _ if name.ends_with(".svg") => "the same chart for pages",
        _ => "part of the report",
    }
}
