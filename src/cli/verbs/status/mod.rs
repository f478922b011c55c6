//! `runner status`: where a sweep stands, who works on it, and what is left.

mod cell;
mod cells;
mod html;
mod json;
mod left;
mod overview;
mod queue;
pub mod run;
mod workers;
