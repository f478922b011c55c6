//! A finished cell, as the run room hands it over.

use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Score {
    pub metric: String,
    pub value: f64,
    pub low: f64,
    pub high: f64,
    pub count: usize,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub cell: usize,
    pub at: Vec<(String, toml::Value)>,
    pub axes: Vec<String>,
    pub scores: Vec<Score>,
    pub missing: Option<String>,
    pub samples: Option<PathBuf>,
    pub keys: Vec<(String, String)>,
    pub provenance: Vec<(String, String)>,
}
