//! Several workers on one store: they share one cell, stop when they are asked to, and lose no more than a part when they
//! die.

#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
mod dying;
mod scoring;
mod sharing;
#[cfg(unix)]
mod stopping;
mod study;
