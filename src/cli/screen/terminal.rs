//! How words and numbers meet the screen: stdout is data, stderr is talk, and a closed pipe is no error.

use crate::report::rows::names;
use crate::run::fault::links;
use anyhow::{Error, Result};
use std::io::{ErrorKind, IsTerminal, Write};

/// Writes data to stdout, with a newline.
pub fn out(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// Writes talk to stderr, with a newline; nobody listening is nothing to stop for.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The reader of our stdout went away, as `head` does.
pub fn is_closed_pipe(error: &Error) -> bool {
    let io = error
        .chain()
        .find_map(|e| e.downcast_ref::<std::io::Error>());
    io.is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

/// Colour, where a person looks and has not refused it.
pub fn colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
    std::io::stderr().is_terminal() && !refused && !dumb
}

/// The columns of the terminal that stdout is; room enough where it is none.
pub fn width() -> usize {
    // SAFETY: the call writes a `winsize` into the one that it is given, or fails.
    let columns = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        match libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) {
            0 => size.ws_col,
            _ => 0,
        }
    };
    match columns {
        0 => 200,
        columns => columns.into(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Paint {
    Green,
    Red,
    Yellow,
    Cyan,
}

/// The word in colour on a terminal, the bare word elsewhere.
pub fn paint(word: &str, paint: Paint) -> String {
    let code = match paint {
        Paint::Green => 32,
        Paint::Red => 31,
        Paint::Yellow => 33,
        Paint::Cyan => 36,
    };
    match colour() {
        true => format!("\x1b[{code}m{word}\x1b[0m"),
        false => word.to_string(),
    }
}

/// An error's text and its hints apart: a hint may stand in any link of the chain.
pub fn parts(error: &Error) -> (String, Vec<String>) {
    let (mut texts, mut hints) = (Vec::new(), Vec::new());
    for link in links(error) {
        let mut lines = Vec::new();
        for line in link.lines() {
            match line.strip_prefix("hint: ") {
                Some(hint) => hints.push(hint.to_string()),
                None => lines.push(line),
            }
        }
        texts.push(lines.join("\n"));
    }
    (texts.join(": "), hints)
}

/// `error: ...`, a blank line, `hint: ...`.
pub fn error(error: &Error) {
    let (text, hints) = parts(error);
    say(&format!("{} {text}", paint("error:", Paint::Red)));
    for hint in hints {
        say(&format!("\n{} {hint}", paint("hint:", Paint::Cyan)));
    }
}

pub fn warning(text: &str) {
    say(&format!("{} {text}", paint("warning:", Paint::Yellow)));
}

/// `31 s`, `2 min 04 s`, `26 min`, `3 h 10 min`, `2 d 5 h`.
pub fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..600 => format!("{} min {:02} s", s / 60, s % 60),
        600..3570 => format!("{} min", (s + 30) / 60),
        3570..86_400 => format!("{} h {:02} min", (s + 30) / 3600, (s + 30) % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// `31,000`, as tables write it.
pub fn thousands(n: u64) -> String {
    names::thousands(n as usize)
}

/// `11.3 M`, `300 k`, `42`.
pub fn short(x: f64) -> String {
    let (value, unit) = match x {
        _ if x >= 1e9 => (x / 1e9, " G"),
        _ if x >= 1e6 => (x / 1e6, " M"),
        _ if x >= 1e4 => (x / 1e3, " k"),
        _ => return thousands(x as u64),
    };
    match value < 99.95 {
        true => format!("{value:.1}{unit}").replace(".0 ", " "),
        false => format!("{value:.0}{unit}"),
    }
}

/// `6.2 GB`.
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        _ if n >= 1e9 => format!("{:.1} GB", n / 1e9),
        _ if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        _ if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        _ => format!("{n} bytes"),
    }
}

/// A score in the digits that mean something.
pub fn number(x: f64) -> String {
    match x.abs() {
        a if !a.is_finite() => x.to_string(),
        a if a >= 1000.0 => format!("{x:.0}"),
        a if a >= 100.0 => format!("{x:.1}"),
        a if a >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}

/// Columns two spaces apart, two spaces in; `right` says which are pushed to the right.
pub fn table(rows: &[Vec<String>], right: &[bool]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        let cells = rows.iter().filter_map(|row| row.get(c));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut lines = Vec::new();
    for row in rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - cell.chars().count());
            let right = right.get(c).copied().unwrap_or(false);
            let (before, after) = if right {
                (pad, String::new())
            } else {
                (String::new(), pad)
            };
            line.push_str(&format!("  {before}{cell}{after}"));
        }
        lines.push(line.trim_end().to_string());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(short(11_300_000.0), "11.3 M");
        assert_eq!(short(300_000.0), "300 k");
        assert_eq!(short(20_000.0), "20 k");
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(duration(88.0), "1 min 28 s");
        assert_eq!(duration(124.0), "2 min 04 s");
        assert_eq!(duration(1560.0), "26 min");
        assert_eq!(duration(11_400.0), "3 h 10 min");
        assert_eq!(duration(3599.0), "1 h 00 min");
        assert_eq!(bytes(6_200_000_000), "6.2 GB");
    }

    #[test]
    fn hints_stand_apart_wherever_they_were_said() {
        let error = Err::<(), _>(anyhow!("no such file\nhint: make it"));
        let error = error.context("reading a.toml").unwrap_err();
        let (text, hints) = parts(&error);
        assert_eq!(text, "reading a.toml: no such file");
        assert_eq!(hints, ["make it"]);
    }
}
