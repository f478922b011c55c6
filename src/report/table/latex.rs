//! The table as a booktabs table of LaTeX, ready for `\input`.

use crate::report::table::markup::{self, Cell, Markup, Table, pointed};
use crate::report::table::sheet::{Entry, Metric, Sheet};

/// Shrinks what is wider than the text, and nothing else.
const FIT: &str = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%";

/// A `tabular` with the best values in bold.
struct Latex;

/// The table in its environment, with `title`, the parts of its `caption` and `tab:LABEL`.
pub fn table(sheet: &Sheet, title: &str, label: &str, caption: &[String]) -> String {
    let body = Body {
        packages: "booktabs,graphicx",
        settings: "",
        tabular: markup::write(sheet, &Latex),
    };
    environment(&body, title, label, caption)
}

/// What stands in the environment of a table.
pub struct Body<'a> {
    /// What the document must load, as `\usepackage` takes it.
    pub packages: &'a str,
    /// Lines for this table alone, each with its end.
    pub settings: &'a str,
    /// Ends with the brace of the box around it.
    pub tabular: String,
}

/// The environment of a table, as wide as the text at most.
pub fn environment(body: &Body, title: &str, label: &str, caption: &[String]) -> String {
    let caption: Vec<String> = caption.iter().map(|c| escape(c)).collect();
    format!(
        "% needs \\usepackage{{{}}}\n\\begin{{table}}\n  \\centering\n  \\small\n{}  {FIT}\n{}  \
         \\caption{{{}. {}.}}\n  \\label{{tab:{label}}}\n\\end{{table}}\n",
        body.packages,
        body.settings,
        body.tabular,
        escape(title),
        caption.join(". ")
    )
}

impl Markup for Latex {
    fn axis(&self, name: &str) -> String {
        escape(name)
    }

    fn metric(&self, metric: &Metric) -> String {
        head(metric)
    }

    fn cell(&self, cell: &Cell) -> String {
        match cell {
            Cell::Value(text) => escape(text),
            Cell::Score(place) => score(place.entry),
            Cell::Missing(why) => format!("\\emph{{{}}}", escape(why)),
            Cell::Empty => String::new(),
        }
    }

    fn table(&self, table: &Table) -> String {
        let columns = "r".repeat(table.axes) + &"l".repeat(table.metrics);
        let mut out = format!(
            "  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n    {} \\\\\n    \\midrule\n",
            table.heads.join(" & ")
        );
        for line in &table.lines {
            if line.parted {
                out.push_str("    \\addlinespace\n");
            }
            out.push_str(&format!("    {} \\\\\n", line.cells.join(" & ")));
        }
        out.push_str("    \\bottomrule\n  \\end{tabular}}\n");
        out
    }
}

/// A metric's label with an arrow to its good end.
pub fn head(metric: &Metric) -> String {
    let label = escape(&metric.label);
    pointed(&label, metric.better, ["$\\downarrow$", "$\\uparrow$"])
}

fn score(entry: &Entry) -> String {
    // A hyphen is no minus.
    let value = match entry.value.strip_prefix('-') {
        Some(rest) => format!("$-${rest}"),
        None => entry.value.clone(),
    };
    let value = if entry.best {
        format!("\\textbf{{{value}}}")
    } else {
        value
    };
    match &entry.interval {
        Some(range) => format!("{value} {{\\scriptsize {}}}", range.replace('±', "$\\pm$")),
        None => value,
    }
}

/// Text that LaTeX sets as it stands.
pub fn escape(text: &str) -> String {
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
            '±' => out.push_str("$\\pm$"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
