//! Jobs run in this process: made, stopped, resumed, stored and reported.

#[path = "../support/mod.rs"]
mod support;

mod attention;
mod cells;
mod described;
mod growth;
mod likelihood;
mod question;
mod reconstruct;
mod report;
mod store;
mod train;
mod upsample;
