//! What a paper needs beside tables and charts: the works that a study names, and all of it in one file with its digests.

pub mod bibliography;
pub mod bundle;
mod names;
mod readme;
mod works;
