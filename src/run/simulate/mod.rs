//! What a sweep would take on many workers, without running it: jobs and their parts handed out in the order in which workers
//! take them from a store.

pub mod engine;
pub mod files;
pub mod summary;
pub mod tasks;
