//! Who works on a sweep, what is left of it, what has failed and how long it will take, taken together.

use crate::cli::open::Opened;
use crate::cli::verbs::status::left::{Left, left};
use crate::cli::verbs::status::queue::{Queue, failures_text};
use crate::cli::verbs::status::workers::{self, Shown};
use crate::run::lease::record;

/// What `status` tells beside the cells.
pub struct Overview {
    pub workers: Vec<Shown>,
    pub queue: Queue,
    pub left: Left,
}

impl Overview {
    /// As the store is now.
    pub fn of(opened: &Opened) -> Overview {
        let workers = workers::shown(&opened.plan, record::workers(opened.store.root()));
        let queue = Queue::of(&opened.plan, &workers);
        let left = left(&opened.plan, &queue, &workers);
        Overview {
            workers,
            queue,
            left,
        }
    }

    /// Sections that are told in words; empty where all is stored and no worker has left its record.
    pub fn text(&self, opened: &Opened, file: &str) -> String {
        let mut parts = Vec::new();
        if !self.workers.is_empty() {
            parts.push(format!("workers\n{}", workers::text(&self.workers)));
        }
        if self.queue.open() > 0 {
            parts.push(format!("queue\n{}", self.queue.text()));
            parts.push(format!("time left: {}", self.left.text()));
        }
        if !self.queue.failed.is_empty() {
            let failures = failures_text(&opened.plan, &self.queue.failed, file);
            parts.push(format!("failed\n{failures}"));
        }
        parts.join("\n\n")
    }
}
