//! bridge
use anyhow::{Context, Result};
pub fn index(names: &[String], name: &str) -> Result<u32> {
    names
        .iter()
        .position(|n| n == name)
        .map(|i| i as u32)
        .context("unknown class")
}
