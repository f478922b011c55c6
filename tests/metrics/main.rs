//! Numbers in, scores out: against closed forms, brute force and the reference programs.

#[path = "../support/mod.rs"]
mod support;

mod closed_forms;
mod intervals;
mod k_means;
mod manifolds;
mod paired;
mod references;
mod repeats;
