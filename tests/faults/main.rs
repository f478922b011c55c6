//! What may go wrong around the program: damaged files, a full or read-only disk, clocks that jump, numbers that are none.

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod study;
