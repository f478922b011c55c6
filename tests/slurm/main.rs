//! `runner sweep --slurm` on a real Slurm of this machine, started for each test in a folder of its own. Where Slurm is not
//! installed the tests say so and pass.

#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod controller;
mod ends;
mod losses;
mod study;
mod time_limit;
mod waits;
mod withdrawals;
