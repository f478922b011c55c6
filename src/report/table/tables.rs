//! The table as files: CSV and Parquet from the frame, Markdown and LaTeX from the sheet.

use crate::report::rows::names::Better;
use crate::report::table::sheet::{Entry, Line, Sheet};
use anyhow::{Context, Result};
use polars::prelude::{CsvWriter, DataFrame, ParquetWriter, SerWriter};

/// Every digit of every number; nulls are empty.
pub fn csv(frame: &DataFrame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes)
        .finish(&mut frame.clone())
        .context("writing table.csv")?;
    Ok(bytes)
}

/// The frame with its types.
pub fn parquet(frame: &DataFrame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .set_parallel(false)
        .finish(&mut frame.clone())
        .context("writing table.parquet")?;
    Ok(bytes)
}

/// A pipe table, best values in bold, `caption` below.
pub fn markdown(sheet: &Sheet, caption: &[String]) -> String {
    let heads = sheet
        .metrics
        .iter()
        .map(|m| head(&m.label, m.better, "↓", "↑"));
    let heads: Vec<String> = sheet.axes.iter().cloned().chain(heads).collect();
    let mut out = pipe(heads.iter().map(|h| escape_markdown(h)));
    let rules = (0..heads.len()).map(|i| match i < sheet.axes.len() {
        true => "---:".to_string(),
        false => ":---".to_string(),
    });
    out.push_str(&pipe(rules));
    for line in sheet.all() {
        let at = line.at.iter().map(|v| escape_markdown(v));
        let entries = cells(line, &|e| {
            let value = match e.best {
                true => format!("**{}**", e.value),
                false => e.value.clone(),
            };
            spaced(value, e.interval.as_deref())
        });
        let entries = entries.into_iter().map(|c| match c {
            Shown::Entry(text) => text,
            Shown::Missing(why) => escape_markdown(&why),
        });
        out.push_str(&pipe(at.chain(entries)));
    }
    out.push('\n');
    for part in caption {
        out.push_str(&escape_markdown(part));
        out.push_str("  \n");
    }
    out
}

/// Shrinks what is wider than the text, and nothing else.
const FIT: &str = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%";

/// A booktabs table, ready for `\input`; best values in bold.
pub fn latex(sheet: &Sheet, title: &str, label: &str, caption: &[String]) -> String {
    let columns = "r".repeat(sheet.axes.len()) + &"l".repeat(sheet.metrics.len());
    let heads = sheet.metrics.iter().map(|m| {
        let label = escape_latex(&m.label);
        head(&label, m.better, "$\\downarrow$", "$\\uparrow$")
    });
    let axes = sheet.axes.iter().map(|a| escape_latex(a));
    let mut out = String::from(
        "% needs \\usepackage{booktabs,graphicx}\n\\begin{table}\n  \\centering\n  \\small\n",
    );
    out.push_str(&format!(
        "  {FIT}\n  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n    "
    ));
    out.push_str(&axes.chain(heads).collect::<Vec<_>>().join(" & "));
    out.push_str(" \\\\\n    \\midrule\n");
    for (i, line) in sheet.all().into_iter().enumerate() {
        if sheet.parts_before(i) {
            out.push_str("    \\addlinespace\n");
        }
        let at = line.at.iter().map(|v| escape_latex(v));
        let entries = cells(line, &|e| {
            // A hyphen is no minus.
            let value = match e.value.strip_prefix('-') {
                Some(rest) => format!("$-${rest}"),
                None => e.value.clone(),
            };
            let value = match e.best {
                true => format!("\\textbf{{{value}}}"),
                false => value,
            };
            match &e.interval {
                Some(range) => format!("{value} {{\\scriptsize {range}}}"),
                None => value,
            }
        });
        let entries = entries.into_iter().map(|c| match c {
            Shown::Entry(text) => text,
            Shown::Missing(why) => format!("\\emph{{{}}}", escape_latex(&why)),
        });
        let line: Vec<String> = at.chain(entries).collect();
        out.push_str(&format!("    {} \\\\\n", line.join(" & ")));
    }
    out.push_str("    \\bottomrule\n  \\end{tabular}}\n");
    let caption: Vec<String> = caption.iter().map(|c| escape_latex(c)).collect();
    out.push_str(&format!(
        "  \\caption{{{}. {}.}}\n  \\label{{tab:{label}}}\n\\end{{table}}\n",
        escape_latex(title),
        caption.join(". ")
    ));
    out
}

/// What a place of the table shows.
pub enum Shown {
    Entry(String),
    /// Said once a line, in the first empty metric column.
    Missing(String),
}

/// The metric places of a line, written by `write`.
pub fn cells(line: &Line, write: &dyn Fn(&Entry) -> String) -> Vec<Shown> {
    let mut said = false;
    let place = |entry: &Option<Entry>| match entry {
        Some(entry) => Shown::Entry(write(entry)),
        // Nobody printed it: nothing that could still be measured.
        None if said || line.published() => Shown::Entry(String::new()),
        None => {
            said = true;
            Shown::Missing(missing(line))
        }
    };
    line.entries.iter().map(place).collect()
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

pub fn head(label: &str, better: Option<Better>, down: &str, up: &str) -> String {
    match better {
        Some(Better::Lower) => format!("{label} {down}"),
        Some(Better::Higher) => format!("{label} {up}"),
        None => label.to_string(),
    }
}

fn spaced(value: String, interval: Option<&str>) -> String {
    match interval {
        Some(interval) => format!("{value} {interval}"),
        None => value,
    }
}

fn pipe(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

fn escape_markdown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Text that LaTeX sets as it stands.
pub fn escape_latex(text: &str) -> String {
    // A bracket after the end of a row would be taken for its option.
    let mut out = String::from(if text.starts_with('[') { "{}" } else { "" });
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
