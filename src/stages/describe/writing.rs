//! Beside the net: the moments and the file of one part are made while the net is at the next, whose name is found ahead.

use crate::data::survey::Facts;
use crate::jobs::sharing::claims::Claim;
use crate::machine::cores;
use crate::machine::profile::{Operation, span};
use crate::stages::describe::described;
use crate::stages::describe::extract::Rows;
use anyhow::{Result, anyhow};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::path::PathBuf;
use std::thread::{Scope, ScopedJoinHandle};

/// A part whose images went through the net: its rows for each preprocessing, with the file that they go to.
pub struct Unwritten {
    pub rows: Vec<(PathBuf, Rows)>,
    pub facts: Vec<Facts>,
}

/// Threads apart from the kernels': whoever describes may be one of those, and waits for what is done here.
///
/// # Errors
/// Where the system gives no more threads.
pub fn threads() -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(cores::count())
        .thread_name(|k| format!("writer {k}"))
        .start_handler(|_| cores::roam());
    Ok(pool.build()?)
}

/// Writes one part at a time, each under its claim.
pub struct Writer<'scope, 'env, 'claims> {
    scope: &'scope Scope<'scope, 'env>,
    threads: &'env ThreadPool,
    at_work: Option<AtWork<'scope, 'claims>>,
}

type AtWork<'scope, 'claims> = (
    ScopedJoinHandle<'scope, Result<()>>,
    Box<dyn Claim + 'claims>,
);

impl<'scope, 'env, 'claims> Writer<'scope, 'env, 'claims> {
    pub fn new(scope: &'scope Scope<'scope, 'env>, threads: &'env ThreadPool) -> Self {
        Writer {
            scope,
            threads,
            at_work: None,
        }
    }

    /// Begins to write `part`, once the part before it is written; `claim` is held until it is.
    ///
    /// # Errors
    /// What the part before it failed with.
    pub fn write(&mut self, part: Unwritten, claim: Box<dyn Claim + 'claims>) -> Result<()> {
        self.finish()?;
        let threads = self.threads;
        let thread = self.scope.spawn(move || {
            threads.install(|| {
                let write = |(path, rows): (PathBuf, _)| described::write(&path, rows, &part.facts);
                part.rows.into_iter().try_for_each(write)
            })
        });
        self.at_work = Some((thread, claim));
        Ok(())
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// What the last part failed with.
    pub fn finish(&mut self) -> Result<()> {
        let Some((thread, claim)) = self.at_work.take() else {
            return Ok(());
        };
        let _span = span(Operation::WaitWriter);
        let written = thread.join();
        drop(claim);
        written.unwrap_or_else(|_| Err(anyhow!("internal error: a part was not written")))
    }
}

impl Drop for Writer<'_, '_, '_> {
    fn drop(&mut self) {
        // Only where another error is told already.
        let _ = self.finish();
    }
}
