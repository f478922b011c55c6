//! Files as this program and others write them: read right where they are whole, refused in words where they are not.

#[path = "../support/mod.rs"]
mod support;

mod arrays;
mod disk;
mod download;
mod formats;
mod frozen_graphs;
mod hostile_pickles;
mod odd_pictures;
mod picture_kinds;
mod pictures;
mod statistics;
mod strangers;
