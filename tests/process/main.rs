//! Somebody else's program: run to its end, with what it was given and no more, and nothing of it left; one user of a device
//! at a time.
#![cfg(target_os = "linux")]

/// Only how to have a process of one's own: nothing here starts the program under test.
#[path = "../support/process.rs"]
#[allow(dead_code)]
mod alone;
mod call;

mod device_locks;
mod endings;
mod killed;
mod leftovers;
mod output;
mod texts;
