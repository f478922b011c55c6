//! `runner`: train, sample, score and report diffusion models from one experiment file. The rooms, ground floor first.

pub mod experiment;

pub mod machine;

pub mod random;

pub mod io;

pub mod data;

pub mod metrics;

pub mod kernels;

pub mod nets;

pub mod diffusion;

pub mod jobs;

pub mod stages;

pub mod run;

pub mod report;

pub mod cli;
