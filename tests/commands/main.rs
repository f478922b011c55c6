//! The program as people run it, started as a process of its own.

#[path = "../support/mod.rs"]
mod support;

mod any_model;
mod desk;
mod docs;
mod evaluator;
mod export;
mod faults;
mod files;
mod gallery;
mod hand_over;
mod help;
mod inception;
mod inputs;
mod plan;
mod profile;
mod questions;
mod schema;
mod score;
mod shipped;
mod status;
mod studies;
mod sweep;
mod upsample;
