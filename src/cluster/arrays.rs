//! The arrays of a sweep that are to be waited for: what is known of each worker, look by look.

use crate::cluster::event::{Event, Loss};
use crate::cluster::ledger::{Ledger, Submission};
use crate::cluster::losses::loss;
use crate::cluster::tasks::{Task, TaskState};
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long a submission whose number is not known is looked for before it counts as never arrived.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Looks in a row that do not show a worker until it counts as gone.
const ABSENT: u32 = 2;

/// A worker of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// It has not started; also where nothing is known of it yet.
    Pending,
    Running,
    Over,
}

/// An array that is waited for.
pub struct Array {
    pub record: Submission,
    pub workers: Vec<Worker>,
    /// Since when its number is looked for.
    sought: Option<Instant>,
    /// Looks in a row that did not show the worker.
    absent: Vec<u32>,
    /// Whether those that had not started were taken back: they are no losses.
    pub withdrawn: bool,
}

impl Array {
    pub fn new(record: Submission) -> Array {
        Array {
            workers: vec![Worker::Pending; record.workers],
            absent: vec![0; record.workers],
            sought: None,
            withdrawn: false,
            record,
        }
    }

    pub fn count(&self, of: Worker) -> usize {
        self.workers.iter().filter(|worker| **worker == of).count()
    }

    /// Workers that are not over.
    pub fn alive(&self) -> usize {
        self.workers.len() - self.count(Worker::Over)
    }

    /// Takes in what one look at the controller shows, of all tasks those of this array. Tells losses, and closes the
    /// record once nothing is left to wait for.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub fn look(
        &mut self,
        ledger: &Ledger,
        tasks: &[Task],
        now: Instant,
        tell: &dyn Fn(Event),
    ) -> Result<Vec<Loss>> {
        let own = || tasks.iter().filter(|task| task.tag == self.record.tag);
        let Some(id) = self.record.id else {
            match own().next().map(|task| task.array) {
                Some(id) => {
                    self.record.id = Some(id);
                    ledger.write(&self.record)?;
                    tell(self.joined(id));
                    return self.look(ledger, tasks, now, tell);
                }
                None if now.duration_since(*self.sought.get_or_insert(now)) >= ARRIVAL => {
                    self.workers.fill(Worker::Over);
                    self.close(ledger)?;
                }
                None => {}
            }
            return Ok(Vec::new());
        };
        let own: Vec<&Task> = own().collect();
        let mut losses = Vec::new();
        for index in 0..self.workers.len() {
            if self.workers[index] == Worker::Over {
                continue;
            }
            let task = own.iter().find(|task| task.index == Some(index)).copied();
            self.absent[index] = if task.is_some() {
                0
            } else {
                self.absent[index] + 1
            };
            let state = task.map(|task| &task.state);
            let before = self.workers[index];
            self.workers[index] = match state {
                Some(TaskState::Pending) => Worker::Pending,
                Some(TaskState::Running) => Worker::Running,
                Some(TaskState::Ended(_)) => Worker::Over,
                None if self.absent[index] >= ABSENT => Worker::Over,
                None => before,
            };
            let taken_back = self.withdrawn && before == Worker::Pending;
            if self.workers[index] == Worker::Over && !taken_back {
                // Of pending tasks that were cancelled together one row is left for all.
                let row = task.or_else(|| own.iter().find(|task| task.index.is_none()).copied());
                losses.extend(loss(ledger, id, index, row));
            }
        }
        if self.alive() == 0 {
            self.close(ledger)?;
        }
        Ok(losses)
    }

    /// That it was found again.
    pub fn joined(&self, id: u64) -> Event {
        Event::Joined {
            id,
            workers: self.record.workers,
            stages: self.record.stages.join("+"),
        }
    }

    fn close(&mut self, ledger: &Ledger) -> Result<()> {
        self.record.closed = true;
        ledger.write(&self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tasks::End;

    fn task(index: usize, state: TaskState) -> Task {
        Task {
            tag: "t".into(),
            array: 7,
            index: Some(index),
            state,
            reason: "None".into(),
            node: "n1".into(),
        }
    }

    fn ended(word: &str, code: i32) -> TaskState {
        TaskState::Ended(End {
            word: word.into(),
            code: Some(code),
        })
    }

    fn array(workers: usize, id: Option<u64>) -> (tempfile::TempDir, Ledger, Array) {
        let root = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(root.path(), &["a"]);
        ledger.prepare().unwrap();
        let record = Submission {
            tag: "t".into(),
            stages: vec!["sample".into()],
            workers,
            id,
            exclude: vec![],
            at: String::new(),
            closed: false,
        };
        (root, ledger, Array::new(record))
    }

    #[test]
    fn a_worker_is_gone_after_two_looks_without_it_and_one_that_ended_by_itself_is_no_loss() {
        let (_root, ledger, mut array) = array(3, Some(7));
        let now = Instant::now();
        let mut look = |tasks: &[Task]| {
            let losses = array.look(&ledger, tasks, now, &|_| ()).unwrap();
            (losses.len(), array.alive(), array.record.closed)
        };
        let running = task(0, TaskState::Running);
        let over = task(1, ended("COMPLETED", 0));
        assert_eq!(look(&[running.clone(), over.clone()]), (0, 2, false));
        assert_eq!(
            look(&[running.clone(), over]),
            (1, 1, false),
            "2 was never seen"
        );
        assert_eq!(look(&[task(0, ended("TIMEOUT", 0))]), (1, 0, true));
    }

    #[test]
    fn of_withdrawn_workers_those_that_never_started_are_no_losses() {
        let (_root, ledger, mut array) = array(2, Some(7));
        let now = Instant::now();
        let running = [task(0, TaskState::Running), task(1, TaskState::Pending)];
        array.look(&ledger, &running, now, &|_| ()).unwrap();
        array.withdrawn = true;
        let over = [
            task(0, ended("NODE_FAIL", 0)),
            task(1, ended("CANCELLED", 0)),
        ];
        let losses = array.look(&ledger, &over, now, &|_| ()).unwrap();
        let lost: Vec<usize> = losses.iter().map(|loss| loss.index).collect();
        assert_eq!((lost, array.record.closed), (vec![0], true));
    }

    #[test]
    fn a_submission_that_was_sent_is_found_by_its_tag_and_one_that_never_arrived_is_given_up() {
        let now = Instant::now();
        let (_root, ledger, mut found) = array(1, None);
        found
            .look(&ledger, &[task(0, TaskState::Pending)], now, &|_| ())
            .unwrap();
        assert_eq!((found.record.id, found.alive()), (Some(7), 1));
        let (_root, ledger, mut lost) = array(1, None);
        for (seconds, alive) in [(0, 1), (9, 1), (10, 0)] {
            let at = now + Duration::from_secs(seconds);
            assert!(lost.look(&ledger, &[], at, &|_| ()).unwrap().is_empty());
            assert_eq!(lost.alive(), alive, "{seconds}");
        }
        assert!(lost.record.closed);
    }
}
