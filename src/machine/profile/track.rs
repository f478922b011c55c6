//! The spans of one thread: which are open, what they took without the spans inside them, and when each was.

use crate::machine::profile::operation::{Kind, Operation};

/// A span that has ended; nanoseconds since the profile began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub operation: Operation,
    pub start: u64,
    pub length: u64,
}

/// How often an operation was done, and its nanoseconds without those of the spans inside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub calls: u64,
    pub own: u64,
}

struct Open {
    operation: Operation,
    start: u64,
    /// Nanoseconds of the spans inside it.
    inside: u64,
}

/// A thread's spans.
pub struct Track {
    pub id: usize,
    pub name: String,
    open: Vec<Open>,
    pub totals: Vec<Total>,
    pub events: Vec<Event>,
}

impl Track {
    pub fn new(id: usize, name: String) -> Track {
        Track {
            id,
            name,
            open: Vec::new(),
            totals: vec![Total::default(); Operation::ALL.len()],
            events: Vec::new(),
        }
    }

    /// What the thread does now; None outside every span.
    pub fn state(&self) -> Option<Kind> {
        self.open.last().map(|open| open.operation.kind())
    }

    pub fn begin(&mut self, operation: Operation, now: u64) {
        self.open.push(Open {
            operation,
            start: now,
            inside: 0,
        });
    }

    /// Ends the innermost span, which is None where there is none.
    pub fn end(&mut self, now: u64) -> Option<Event> {
        let Open {
            operation,
            start,
            inside,
        } = self.open.pop()?;
        let length = now.saturating_sub(start);
        let total = &mut self.totals[operation as usize];
        total.calls += 1;
        total.own += length.saturating_sub(inside);
        if let Some(around) = self.open.last_mut() {
            around.inside += length;
        }
        Some(Event {
            operation,
            start,
            length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_inside_an_inner_span_is_the_inner_ones_alone() {
        let mut track = Track::new(0, "main".to_string());
        track.begin(Operation::Sample, 100);
        track.begin(Operation::Unet, 110);
        track.begin(Operation::ConvolutionForward, 120);
        assert_eq!(track.end(150).unwrap().length, 30);
        track.begin(Operation::ConvolutionForward, 155);
        track.end(160);
        track.end(170);
        track.begin(Operation::WaitOthers, 180);
        assert_eq!(track.state(), Some(Kind::Wait));
        track.end(200);
        assert_eq!(track.state(), Some(Kind::Work));
        let whole = track.end(210).unwrap();
        assert_eq!((whole.start, whole.length), (100, 110));
        assert_eq!(track.end(220), None);
        let total = |operation| {
            let Total { calls, own } = track.totals[operation as usize];
            (calls, own)
        };
        assert_eq!(total(Operation::ConvolutionForward), (2, 35));
        assert_eq!(total(Operation::Unet), (1, 25));
        assert_eq!(total(Operation::WaitOthers), (1, 20));
        assert_eq!(total(Operation::Sample), (1, 30));
    }
}
