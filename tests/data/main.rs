//! Images, from the file to the input of a net.

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod collections;
mod cut_grey;
mod dataset_json;
mod gallery;
mod pixels;
mod shapes;
mod sources;
mod strangers;
