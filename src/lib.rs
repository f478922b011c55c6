//! Train, sample, score and report diffusion models: the library under the program `runner`.
//!
//! Most people want the program, which reads an experiment file (see the README). A program of your own needs two types:
//! [`Evaluation`] scores images against a reference as a published tool scores them, and [`Generator`] draws images with a
//! trained net.
//!
//! # FID of two folders
//!
//! ```no_run
#![doc = include_str!("../examples/fid_of_two_folders.rs")]
//! ```
//!
//! # Ten images
//!
//! ```no_run
#![doc = include_str!("../examples/draw_ten_images.rs")]
//! ```
//!
//! # The rooms
//!
//! Everything else is the inside of the program, one folder a concept, and may change with every version. Rooms import
//! downward only, in this order from the ground up; ARCHITECTURE.md is the map.

pub mod experiment;
pub mod machine;
pub mod random;

pub mod io;
pub mod metrics;
pub mod process;

pub mod data;
pub mod kernels;

pub mod diffusion;
pub mod nets;

pub mod jobs;
pub mod stages;

pub mod run;

pub mod cluster;

pub mod report;

pub mod api;
pub mod cli;

#[doc(no_inline)]
pub use candle_core::Device;

pub use api::evaluation::Evaluation;
pub use api::generator::{Drawing, Generator};
pub use experiment::file::experiment::Sampler;
pub use experiment::scoring::preset::Preset;
pub use io::image::pixels::Rgb8;
pub use metrics::score::Score;
