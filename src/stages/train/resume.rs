//! What an interrupted training goes on from: weights, moments, EMA, step, the timestep sampler's history.

use crate::diffusion::process::timesteps::{History, Timesteps};
use crate::io::checkpoint::{self, Checkpoint};
use crate::io::disk::read_json;
use crate::jobs::files::damage::set_aside_because;
use crate::jobs::files::results::{CHECKPOINTS, Kept};
use crate::stages::train::optimizer::adamw::AdamW;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

const FILE: &str = "training.safetensors";
/// The name in its metadata of the CRC-32 over its values.
const CHECKSUM: &str = "crc32";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    step: u64,
    seconds: f64,
    losses: Vec<f64>,
    counts: Vec<u32>,
}

/// What the names of a teacher's weights begin with.
const TEACHER: &str = "teacher/";

/// Replaces the last saved state in one rename; `teacher` are the weights that teach, where something does.
pub fn save(
    folder: &Path,
    adamw: &AdamW,
    timesteps: &Timesteps,
    teacher: &[(String, Tensor)],
    seconds: f64,
) -> Result<()> {
    let history = timesteps.history();
    let state = State {
        step: adamw.step,
        seconds,
        losses: history.losses.clone(),
        counts: history.counts.clone(),
    };
    let (state, mut tensors) = (serde_json::to_string(&state)?, adamw.save());
    let teacher = teacher.iter();
    tensors.extend(teacher.map(|(name, weight)| (format!("{TEACHER}{name}"), weight.clone())));
    let sum = checksum(&state, &tensors)?;
    let metadata = BTreeMap::from([("training".to_string(), state), (CHECKSUM.to_string(), sum)]);
    checkpoint::write(&folder.join(FILE), &tensors, &metadata)
}

/// Of the state's text and of every value, tensor by tensor in the order of their names.
fn checksum(state: &str, tensors: &[(String, Tensor)]) -> Result<String> {
    let mut sum = crc32fast::Hasher::new();
    sum.update(state.as_bytes());
    let mut tensors: Vec<&(String, Tensor)> = tensors.iter().collect();
    tensors.sort_by_key(|(name, _)| name);
    for (name, tensor) in tensors {
        sum.update(name.as_bytes());
        for values in tensor.flatten_all()?.to_vec1::<f32>()?.chunks(1 << 14) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            sum.update(&bytes);
        }
    }
    Ok(format!("{:08x}", sum.finalize()))
}

/// Sets aside a saved state that is damaged, and one whose record of kept checkpoints is: the training then begins anew.
///
/// # Errors
/// Where a file cannot be renamed.
pub fn set_aside_damaged(folder: &Path, warn: &dyn Fn(&str)) -> Result<()> {
    if !begun(folder) {
        return Ok(());
    }
    let state = folder.join(FILE);
    let record = folder.join(CHECKPOINTS);
    if record.exists()
        && let Err(error) = read_json::<Vec<Kept>>(&record)
    {
        warn(&set_aside_because(
            &record,
            &error.root_cause().to_string(),
        )?);
        let why = format!("{CHECKPOINTS} beside it is damaged");
        warn(&set_aside_because(&state, &why)?);
    } else if let Err(error) = verify(&state) {
        warn(&set_aside_because(&state, &error.root_cause().to_string())?);
    }
    Ok(())
}

/// Reads all of a saved state; one of a version that wrote no checksum is only read.
fn verify(path: &Path) -> Result<()> {
    let saved = Checkpoint::open(path)?;
    let tensors = saved.tensors(&Device::Cpu)?;
    let state = saved.metadata().get("training");
    let state = state.context("it names no step")?;
    if let Some(told) = saved.metadata().get(CHECKSUM) {
        let found = checksum(state, &tensors)?;
        ensure!(
            found == *told,
            "its values have the checksum {found}, it says {told}"
        );
    }
    Ok(())
}

/// Whether a folder holds the state of a training that goes on.
pub fn begun(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// What a training goes on with beside its optimizer.
#[derive(Default)]
pub struct Restored {
    /// Training seconds that it had taken.
    pub seconds: f64,
    /// The weights that teach, by name.
    pub teacher: Vec<(String, Tensor)>,
}

/// Goes on from the saved state where there is one.
pub fn restore(
    folder: &Path,
    adamw: &mut AdamW,
    timesteps: &mut Timesteps,
    device: &Device,
) -> Result<Restored> {
    if !begun(folder) {
        return Ok(Restored::default());
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
    let teacher = tensors.into_iter().filter_map(|(name, weight)| {
        let name = name.strip_prefix(TEACHER)?;
        Some((name.to_string(), weight))
    });
    Ok(Restored {
        seconds: state.seconds,
        teacher: teacher.collect(),
    })
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
