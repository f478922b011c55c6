//! How long a process worked, and how long it waited: by the wall clock, whatever the number of threads.

use crate::machine::profile::operation::Kind;

/// How many threads work and wait now, and how long some did; nanoseconds since the profile began.
#[derive(Debug, Default)]
pub struct Clock {
    working: usize,
    waiting: usize,
    since: u64,
    /// With a thread at work.
    pub worked: u64,
    /// With no thread at work, and one that waits.
    pub waited: u64,
}

impl Clock {
    /// A thread goes over from one state to another.
    pub fn shift(&mut self, now: u64, from: Option<Kind>, to: Option<Kind>) {
        self.pass(now);
        match from {
            Some(Kind::Work) => self.working -= 1,
            Some(Kind::Wait) => self.waiting -= 1,
            None => {}
        }
        match to {
            Some(Kind::Work) => self.working += 1,
            Some(Kind::Wait) => self.waiting += 1,
            None => {}
        }
    }

    /// Counts the time until `now`.
    pub fn pass(&mut self, now: u64) {
        let passed = now.saturating_sub(self.since);
        if self.working > 0 {
            self.worked += passed;
        } else if self.waiting > 0 {
            self.waited += passed;
        }
        self.since = self.since.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_waits_while_nobody_works() {
        let mut clock = Clock::default();
        let (work, wait) = (Some(Kind::Work), Some(Kind::Wait));
        clock.shift(10, None, wait);
        clock.shift(30, None, work);
        clock.shift(70, work, None);
        clock.shift(75, wait, None);
        clock.pass(100);
        assert_eq!((clock.worked, clock.waited), (40, 25));
    }
}
