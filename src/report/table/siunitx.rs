//! The table as a booktabs table of LaTeX whose numbers are aligned at their points: columns `S` of the package siunitx
//! (version 3), each with a narrow column for its intervals.

use crate::report::table::latex::{Body, environment, escape, head};
use crate::report::table::markup::{self, Cell, Markup, Place, Table};
use crate::report::table::sheet::{Entry, Metric, Sheet};

/// Digits are bold where the cell is.
const SETTINGS: &str = "  \\sisetup{detect-weight=true}\n";

/// Columns of numbers, of the digits that each of them needs.
struct Numbers {
    /// One a metric.
    digits: Vec<Digits>,
}

/// What the numbers of a column take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digits {
    before: usize,
    after: usize,
    /// Whether some number has a sign.
    signed: bool,
}

/// As [`crate::report::table::latex::table`].
pub fn table(sheet: &Sheet, title: &str, label: &str, caption: &[String]) -> String {
    let entries = |column: usize| {
        let lines = sheet.all().into_iter();
        lines.filter_map(move |line| line.entries.get(column)?.as_ref())
    };
    let digits = (0..sheet.metrics.len()).map(|column| Digits::of(entries(column)));
    let numbers = Numbers {
        digits: digits.collect(),
    };
    let body = Body {
        packages: "booktabs,graphicx,siunitx",
        settings: SETTINGS,
        tabular: markup::write(sheet, &numbers),
    };
    environment(&body, title, label, caption)
}

impl Digits {
    fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Digits {
        let mut digits = Digits {
            before: 1,
            ..Digits::default()
        };
        for value in entries.map(|entry| entry.value.as_str()) {
            let Some(number) = Number::of(value) else {
                continue;
            };
            digits.before = digits.before.max(number.before);
            digits.after = digits.after.max(number.after);
            digits.signed |= number.signed;
        }
        digits
    }

    /// `S[table-format=+2.2]`.
    fn column(&self) -> String {
        let sign = if self.signed { "+" } else { "" };
        format!("S[table-format={sign}{}.{}]", self.before, self.after)
    }
}

/// A number as it is written, by its digits.
struct Number {
    before: usize,
    after: usize,
    signed: bool,
}

impl Number {
    /// None of a text that siunitx would refuse, such as an infinity.
    fn of(text: &str) -> Option<Number> {
        let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (before, after) = bare.split_once('.').unwrap_or((bare, ""));
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        (digits(before) && digits(after) && !before.is_empty()).then_some(Number {
            before: before.len(),
            after: after.len(),
            signed: bare.len() < text.len(),
        })
    }
}

impl Markup for Numbers {
    fn axis(&self, name: &str) -> String {
        escape(name)
    }

    fn metric(&self, metric: &Metric) -> String {
        format!("\\multicolumn{{2}}{{l}}{{{}}}", head(metric))
    }

    fn cell(&self, cell: &Cell) -> String {
        match cell {
            Cell::Value(text) => escape(text),
            Cell::Score(place) => score(place),
            Cell::Missing(why) => {
                format!("\\multicolumn{{2}}{{l}}{{\\emph{{{}}}}}", escape(why))
            }
            Cell::Empty => String::new(),
        }
    }

    fn table(&self, table: &Table) -> String {
        let mut columns = "r".repeat(table.axes);
        for digits in &self.digits {
            columns += &format!("{}@{{\\hspace{{0.4em}}}}l", digits.column());
        }
        let row = |cells: &[String]| {
            let spread = cells.iter().enumerate().map(|(i, cell)| {
                // A metric has two columns, also where it has no score.
                let empty = i >= table.axes && cell.is_empty();
                if empty { "&" } else { cell.as_str() }
            });
            spread.collect::<Vec<_>>().join(" & ")
        };
        let mut out = format!(
            "  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n    {} \\\\\n    \\midrule\n",
            row(&table.heads)
        );
        for line in &table.lines {
            if line.parted {
                out.push_str("    \\addlinespace\n");
            }
            out.push_str(&format!("    {} \\\\\n", row(&line.cells)));
        }
        out.push_str("    \\bottomrule\n  \\end{tabular}}\n");
        out
    }
}

/// A number and its interval, each in its column.
fn score(place: &Place) -> String {
    let entry = place.entry;
    let value = match (Number::of(&entry.value), entry.best) {
        (Some(_), true) => format!("\\bfseries {}", entry.value),
        (Some(_), false) => entry.value.clone(),
        (None, true) => format!("{{\\textbf{{{}}}}}", escape(&entry.value)),
        (None, false) => format!("{{{}}}", escape(&entry.value)),
    };
    // A hyphen is no minus.
    let range = entry.interval.as_ref();
    let range = range.map(|r| r.replace('-', "$-$").replace('±', "$\\pm$"));
    let range = range.map(|range| format!("{{\\scriptsize {range}}}"));
    format!("{value} & {}", range.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(values: &[&str]) -> Digits {
        let entry = |value: &&str| Entry {
            value: value.to_string(),
            interval: None,
            best: false,
        };
        let entries: Vec<Entry> = values.iter().map(entry).collect();
        Digits::of(entries.iter())
    }

    #[test]
    fn a_column_has_room_for_its_widest_numbers() {
        for (values, column) in [
            (&["3.50", "12.25"][..], "S[table-format=2.2]"),
            (&["-0.5", "+10.25"], "S[table-format=+2.2]"),
            (&["120", "7"], "S[table-format=3.0]"),
            // What is no number stands beside the others.
            (&["inf", "0.125"], "S[table-format=1.3]"),
            (&[], "S[table-format=1.0]"),
        ] {
            assert_eq!(digits(values).column(), column, "{values:?}");
        }
    }
}
