//! What a command says, line by line.

use super::system::Pipe;
use std::cmp::Ordering as CmpOrdering;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// The longest part of a line that is passed on, in bytes.
pub const LONGEST_LINE: usize = 4096;
/// The longest part of stdout's last line that is kept, in bytes: it may be a table of results.
pub const LONGEST_RESULT: usize = 1 << 20;
/// How many lines the tail keeps.
pub const TAIL: usize = 20;

/// As many bytes as a pipe of a user's holds: what is read after the end was written before it, unless somebody else who
/// holds the pipe goes on writing.
const PIPE: usize = 1 << 20;
const LOOK: Duration = Duration::from_millis(100);

/// Cuts bytes into lines at `\n` and at `\r`; keeps no more of a line than the longest result.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// Of the line so far, with what was not kept.
    length: usize,
    after_return: bool,
}

/// What a stream's bytes mean, in order.
pub(super) enum Piece<'a> {
    /// A line that stands.
    Line(Line<'a>),
    /// A line that ended in `\r`: the next one is written over it, as progress bars are, unless [`Piece::Stands`] follows.
    Overwritten(Line<'a>),
    /// The line before stands: its end was `\r\n`.
    Stands,
}

/// A line without its end.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    bytes: &'a [u8],
    /// Its length, which is more than `bytes` has where it was too long to keep.
    length: usize,
}

impl Lines {
    pub fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(Piece)) {
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match part.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (text, Some(*end)),
                _ => (part, None),
            };
            let room = LONGEST_RESULT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            self.length += text.len();
            let empty = self.length == 0;
            let line = self.line();
            match end {
                Some(b'\n') if empty && self.after_return => take(Piece::Stands),
                Some(b'\n') => take(Piece::Line(line)),
                // Progress bars begin with `\r` as often as they end with it: there is no line before it then.
                Some(_) if !empty => take(Piece::Overwritten(line)),
                _ => {}
            }
            if end.is_some() {
                self.clear();
            }
            if end.is_some() || !empty {
                self.after_return = end == Some(b'\r');
            }
        }
    }

    /// The last line, where no end was written.
    pub fn finish(&mut self, take: &mut dyn FnMut(Piece)) {
        if self.length > 0 {
            take(Piece::Line(self.line()));
            self.clear();
        }
    }

    fn line(&self) -> Line<'_> {
        Line {
            bytes: &self.line,
            length: self.length,
        }
    }

    fn clear(&mut self) {
        self.line.clear();
        self.length = 0;
    }
}

impl Line<'_> {
    /// The text up to a limit in bytes; what is not UTF-8 becomes U+FFFD, and a cut is told.
    pub fn text(&self, limit: usize) -> String {
        if self.length <= limit {
            return String::from_utf8_lossy(self.bytes).into_owned();
        }
        // Back to where a character begins, which is three bytes away at most.
        let begins = |n: &usize| self.bytes.get(*n).is_none_or(|byte| byte & 0xC0 != 0x80);
        let end = limit.min(self.bytes.len());
        let near = (end.saturating_sub(3)..=end).rev().find(begins);
        let text = String::from_utf8_lossy(&self.bytes[..near.unwrap_or(end)]);
        format!("{text} ... (a line of {} bytes, cut)", self.length)
    }
}

/// The end of what both streams said.
#[derive(Default)]
pub(super) struct Said {
    tail: VecDeque<Shown>,
    result: Option<String>,
}

struct Shown {
    stream: Stream,
    text: String,
    overwritten: bool,
}

impl Said {
    /// Takes a piece; gives the line to pass on, if it holds one.
    fn take(&mut self, stream: Stream, piece: Piece) -> Option<String> {
        let overwritten = matches!(piece, Piece::Overwritten(_));
        let line = match piece {
            Piece::Line(line) | Piece::Overwritten(line) => line,
            Piece::Stands => {
                let last = self.tail.iter_mut().rfind(|shown| shown.stream == stream);
                if let Some(last) = last {
                    last.overwritten = false;
                }
                return None;
            }
        };
        let text = line.text(LONGEST_LINE);
        if stream == Stream::Stdout && !text.trim().is_empty() {
            self.result = Some(line.text(LONGEST_RESULT));
        }
        let last = self.tail.iter().rposition(|shown| shown.stream == stream);
        if let Some(last) = last.filter(|&last| self.tail[last].overwritten) {
            self.tail.remove(last);
        }
        if self.tail.len() == TAIL {
            self.make_room();
        }
        self.tail.push_back(Shown {
            stream,
            text: text.clone(),
            overwritten,
        });
        Some(text)
    }

    /// Drops the oldest line of the stream that fills more than half of the tail: the streams are read side by side, and an
    /// error on one is not to be pushed out by what the other wrote long before.
    fn make_room(&mut self) {
        let errors = self
            .tail
            .iter()
            .filter(|shown| shown.stream == Stream::Stderr);
        let errors = errors.count();
        let crowd = match (2 * errors).cmp(&self.tail.len()) {
            CmpOrdering::Less => Some(Stream::Stdout),
            CmpOrdering::Equal => None,
            CmpOrdering::Greater => Some(Stream::Stderr),
        };
        let dropped = |shown: &Shown| crowd.is_none_or(|stream| shown.stream == stream);
        if let Some(oldest) = self.tail.iter().position(dropped) {
            self.tail.remove(oldest);
        }
    }

    /// The last lines of both streams, as a terminal would still show them.
    pub fn tail(&self) -> Vec<String> {
        self.tail.iter().map(|shown| shown.text.clone()).collect()
    }

    /// The last line of stdout that is not blank.
    pub fn result(&mut self) -> Option<String> {
        self.result.take()
    }
}

/// Reads a stream to its end, or, when the command is `over`, as far as it was written: who else holds the pipe is not
/// waited for.
pub(super) fn read(
    mut pipe: impl Pipe,
    stream: Stream,
    said: &Mutex<Said>,
    over: &AtomicBool,
    line: &(dyn Fn(Stream, &str) + Sync),
) {
    let mut take = |piece: Piece| {
        let text = {
            let mut said = said.lock().unwrap_or_else(|broken| broken.into_inner());
            said.take(stream, piece)
        };
        if let Some(text) = text {
            line(stream, &text);
        }
    };
    let mut lines = Lines::default();
    let mut bytes = vec![0; 1 << 16];
    let mut after_the_end = 0;
    while after_the_end < PIPE {
        let is_over = over.load(Ordering::Acquire);
        match pipe.wait(if is_over { Duration::ZERO } else { LOOK }) {
            Ok(true) => {}
            Ok(false) if is_over => break,
            Ok(false) => continue,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        }
        match pipe.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => {
                after_the_end += if is_over { n } else { 0 };
                lines.push(&bytes[..n], &mut take);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    lines.finish(&mut take);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(parts: &[&[u8]]) -> (Vec<String>, Said) {
        let (mut lines, mut said, mut passed) = (Lines::default(), Said::default(), Vec::new());
        let mut take = |piece: Piece| passed.extend(said.take(Stream::Stdout, piece));
        for part in parts {
            lines.push(part, &mut take);
        }
        lines.finish(&mut take);
        (passed, said)
    }

    #[test]
    fn every_end_of_line_is_one_wherever_the_bytes_are_cut() {
        let whole = b"a\r\nb\n\nc\r\n\rd 1%\rd 2%\n\re 1%\re 2%";
        let expected = ["a", "b", "", "c", "d 1%", "d 2%", "e 1%", "e 2%"];
        let shown = ["a", "b", "", "c", "d 2%", "e 2%"];
        for cut in 0..=whole.len() {
            let (passed, mut said) = said(&[&whole[..cut], &whole[cut..]]);
            assert_eq!(passed, expected, "{cut}");
            assert_eq!(said.tail(), shown, "{cut}");
            assert_eq!(said.result().as_deref(), Some("e 2%"));
        }
    }

    #[test]
    fn an_error_is_not_pushed_out_by_the_other_stream() {
        let mut said = Said::default();
        let mut take = |stream, text: &[u8]| {
            let mut lines = Lines::default();
            lines.push(text, &mut |piece: Piece| {
                said.take(stream, piece);
            });
        };
        take(Stream::Stderr, b"no such checkpoint\n");
        for step in 0..50 {
            take(Stream::Stdout, format!("step {step}\n").as_bytes());
        }
        let steps: Vec<String> = (31..50).map(|step| format!("step {step}")).collect();
        let expected = [vec!["no such checkpoint".to_string()], steps].concat();
        assert_eq!(said.tail(), expected);
    }

    #[test]
    fn a_progress_bar_leaves_the_lines_before_it_in_the_tail() {
        let bar: String = (0..100).map(|n| format!("\r{n}%")).collect();
        let (passed, said) = said(&[b"loading\n", bar.as_bytes(), b"\nBoom\n"]);
        assert_eq!(passed.len(), 102);
        assert_eq!(said.tail(), ["loading", "99%", "Boom"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_the_result_is_kept_longer() {
        let long = "\u{e9}".repeat(LONGEST_LINE / 2 - 1) + "x" + &"\u{20ac}".repeat(1000) + "\n";
        let (passed, mut said) = said(&[long.as_bytes()]);
        let kept = "\u{e9}".repeat(LONGEST_LINE / 2 - 1) + "x";
        let length = long.len() - 1;
        assert_eq!(
            passed,
            [format!("{kept} ... (a line of {length} bytes, cut)")]
        );
        assert_eq!(said.result().unwrap(), long.trim_end());
        let huge = vec![b'x'; LONGEST_RESULT + 5];
        let (_, mut said) = self::said(&[&huge]);
        let result = said.result().unwrap();
        assert!(result.ends_with("x ... (a line of 1048581 bytes, cut)"));
    }
}
