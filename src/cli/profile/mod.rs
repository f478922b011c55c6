//! `--profile`: where the time went, as a table on the screen and as a trace for Perfetto.

pub mod session;
mod table;
mod trace;
