//! `runner pack`: sets of images as one file.

pub mod args;
mod labels;
mod labels_file;
mod parts;
pub mod run;
mod tar;
