//! What the test programs share: the program under test, golden files, and files and numbers made for a test.

// Each program includes this module whole and uses its own part of it.
#![allow(dead_code)]

/// Architectures from the reference program's options.
pub mod archs;
/// Small files as other programs write them.
pub mod files;
/// Seeded normal numbers.
pub mod gaussians;
/// The golden folder, its cases and its weight rule.
pub mod golden;
/// A server that answers as a test says.
pub mod http;
/// Inception with weights by the golden rule.
pub mod inception;
/// Pickles by hand.
pub mod pickles;
/// The process of a test: its threads, its memory, and how to have one of its own.
pub mod process;
/// The program under test, started and listened to.
pub mod program;
/// Rows of results that no job made.
pub mod reports;
/// Seeded tensors for kernels.
pub mod tensors;
