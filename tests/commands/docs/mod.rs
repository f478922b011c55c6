//! README and docs/: every command is run, or parsed where it cannot be; every experiment file in them is read; every link
//! leads somewhere.

mod commands;
mod experiments;
mod links;
mod pages;
mod scratch;
