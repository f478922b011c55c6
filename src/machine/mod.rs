//! What the program runs on: cores, instruction sets, memory. The ground floor; it knows no tensor of ours.

pub mod alloc;
mod awake;
pub mod cores;
pub(crate) mod flush;
pub mod isa;
pub mod profile;
pub(crate) mod scratch;
