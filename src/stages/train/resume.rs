//! What an interrupted training goes on from: weights, moments, EMA, step, the timestep sampler's history.

use crate::diffusion::process::timesteps::{History, Timesteps};
use crate::io::checkpoint::{self, Checkpoint};
use crate::stages::train::optim::AdamW;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

const FILE: &str = "training.safetensors";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    step: u64,
    seconds: f64,
    losses: Vec<f64>,
    counts: Vec<u32>,
}

/// Replaces the last saved state in one rename.
pub fn save(folder: &Path, adamw: &AdamW, timesteps: &Timesteps, seconds: f64) -> Result<()> {
    let history = timesteps.history();
    let state = State {
        step: adamw.step,
        seconds,
        losses: history.losses.clone(),
        counts: history.counts.clone(),
    };
    let metadata = BTreeMap::from([("training".to_string(), serde_json::to_string(&state)?)]);
    checkpoint::write(&folder.join(FILE), &adamw.save(), &metadata)
}

/// Whether a folder holds the state of a training that goes on.
pub fn begun(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Goes on from the saved state where there is one; the training seconds it had taken.
pub fn restore(
    folder: &Path,
    adamw: &mut AdamW,
    timesteps: &mut Timesteps,
    device: &Device,
) -> Result<f64> {
    if !begun(folder) {
        return Ok(0.0);
    }
    let path = folder.join(FILE);
    let saved = Checkpoint::open(&path)?;
    let state = saved
        .metadata()
        .get("training")
        .context("the saved training state names no step")?;
    let state: State = serde_json::from_str(state)?;
    let tensors: HashMap<String, Tensor> = saved.tensors(device)?.into_iter().collect();
    adamw
        .restore(state.step, &tensors)
        .with_context(|| format!("reading {}", path.display()))?;
    timesteps.restore(History {
        losses: state.losses,
        counts: state.counts,
    })?;
    Ok(state.seconds)
}

/// A finished training needs its state no more.
pub fn remove(folder: &Path) -> Result<()> {
    let path = folder.join(FILE);
    if path.exists() {
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
    } else {
        Ok(())
    }
}
