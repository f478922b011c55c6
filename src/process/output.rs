//! What a program prints, line by line as it comes.

use std::collections::VecDeque;
use std::io::Read;
use std::process::{ChildStderr, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// A stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// More of a line is not kept.
const LONGEST: usize = 1 << 20;
/// More of a line is not shown.
const SHOWN: usize = 4096;
/// Lines that are kept for when a program fails.
const LAST: usize = 20;
/// How long the streams may stay open once all processes are gone: one that hid from us may hold them.
const REST: Duration = Duration::from_secs(2);

/// One line.
pub struct Line {
    pub stream: Stream,
    pub text: String,
}

impl Line {
    /// As it stands in a log.
    pub fn shown(&self) -> String {
        if self.text.len() <= SHOWN {
            return self.text.clone();
        }
        let end = (0..=SHOWN).rev().find(|&at| self.text.is_char_boundary(at));
        let start = &self.text[..end.unwrap_or(0)];
        format!("{start} ... ({} bytes in all)", self.text.len())
    }
}

/// Both streams, read by a thread each.
pub struct Output {
    lines: Receiver<Line>,
    until: Option<Instant>,
}

impl Output {
    pub fn of(out: Option<ChildStdout>, err: Option<ChildStderr>) -> Output {
        let (sender, lines) = channel();
        if let Some(out) = out {
            let sender = sender.clone();
            std::thread::spawn(move || read(Stream::Out, out, &sender));
        }
        if let Some(err) = err {
            std::thread::spawn(move || read(Stream::Err, err, &sender));
        }
        Output { lines, until: None }
    }

    /// The next line, if one comes within this time; waits as long where there is none.
    pub fn next_within(&self, time: Duration) -> Option<Line> {
        match self.lines.recv_timeout(time) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(time);
                None
            }
        }
    }

    /// A line that is left once the program has ended.
    pub fn rest(&mut self) -> Option<Line> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + REST);
        let left = until.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).ok()
    }
}

/// Lines end at a line feed and at a carriage return, so that a progress bar is not one endless line.
fn read(stream: Stream, mut from: impl Read, to: &Sender<Line>) {
    let mut buffer = [0u8; 1 << 14];
    let mut line: Vec<u8> = Vec::new();
    let send = |line: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(line).trim_end().to_string();
        line.clear();
        // A line that nobody waits for any more is lost with the program.
        text.is_empty() || to.send(Line { stream, text }).is_ok()
    };
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for &byte in &buffer[..n] {
            if byte == b'\n' || byte == b'\r' {
                if !send(&mut line) {
                    return;
                }
            } else if line.len() < LONGEST {
                line.push(byte);
            }
        }
    }
    send(&mut line);
}

/// The end of a program's output.
#[derive(Default)]
pub struct Tail {
    pub lines: VecDeque<String>,
    pub last_of_stdout: Option<String>,
}

impl Tail {
    pub fn add(&mut self, line: Line) {
        if self.lines.len() == LAST {
            self.lines.pop_front();
        }
        self.lines.push_back(line.shown());
        if line.stream == Stream::Out {
            self.last_of_stdout = Some(line.text);
        }
    }
}
