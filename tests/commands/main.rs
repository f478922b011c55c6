//! The program as people run it, started as a process of its own.

#[path = "../support/mod.rs"]
mod support;

mod any_model;
mod desk;
mod export;
mod faults;
mod files;
mod help;
mod inception;
mod inputs;
mod plan;
mod questions;
mod schema;
mod score;
mod studies;
mod sweep;
mod upsample;
