//! Jobs run in this process: made, stopped, resumed, stored and reported.

#[path = "../support/mod.rs"]
mod support;

mod cells;
mod clusters;
mod described;
mod distillation;
mod growth;
mod likelihood;
mod question;
mod reconstruct;
mod report;
mod store;
mod training;
mod upsample;
