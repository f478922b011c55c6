//! All that is wrong with a store: every file of every result by its digest, and what stands beside the results.

pub mod alive;
pub mod entry;
pub mod keys;
pub mod leftovers;
pub mod problem;
pub mod repair;
pub mod scores;
pub mod store;
