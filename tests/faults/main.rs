//! What may go wrong around the program: damaged files, a full or read-only disk, clocks that jump, numbers that are none.

#[path = "../support/mod.rs"]
mod support;

mod clock;
mod damage;
mod full_disk;
mod kills;
mod not_a_number;
mod read_only;
mod shim;
mod study;
mod verify;
