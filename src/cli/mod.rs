//! What people type and see; the only room that prints, reads the environment or exits.

pub mod args;
pub mod board;
pub mod clean;
pub mod export;
pub mod fetch;
mod file_args;
pub mod import;
pub mod inspect;
pub mod likelihood;
mod live;
pub mod open;
pub mod pace;
pub mod plan;
mod price;
mod question_args;
pub mod reconstruct;
pub mod reference;
pub mod report;
pub mod score;
pub mod score_table;
pub mod status;
pub mod sweep;
pub mod terminal;
