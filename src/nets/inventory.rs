//! Every tensor of a net by name and shape, without its weights; and fresh weights to train from.

use crate::experiment::nets::arch::Arch;
use crate::nets::open::open;
use crate::random::stream::{polar, stream, uniform};
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use std::sync::{Arc, Mutex};

/// One tensor of a net.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
}

/// Notes what a net asks for, and hands out views of a single zero.
struct Recorder(Arc<Mutex<Vec<Entry>>>);

impl SimpleBackend for Recorder {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let entry = Entry {
            name: name.to_string(),
            shape: shape.dims().to_vec(),
            init,
        };
        let Ok(mut entries) = self.0.lock() else {
            bail!("the inventory is poisoned")
        };
        entries.push(entry);
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("`{name}` was asked for without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// The tensors of a net, in the order in which it is built; no weights are allocated.
pub fn tensors(arch: &Arch) -> Result<Vec<Entry>> {
    let entries = Arc::new(Mutex::new(Vec::new()));
    let vb = VarBuilder::from_backend(Box::new(Recorder(entries.clone())), DType::F32, Device::Cpu);
    drop(open(arch, vb)?);
    let Ok(entries) = entries.lock() else {
        bail!("the inventory is poisoned")
    };
    Ok(entries.clone())
}

/// The attention blocks of a net by their names in a checkpoint, from the root: `middle_block.1`. None for nets without any.
///
/// # Errors
/// Where no such net can be built.
pub fn attention_blocks(arch: &Arch) -> Result<Vec<String>> {
    let block = |entry: Entry| entry.name.strip_suffix(".qkv.weight").map(str::to_string);
    Ok(tensors(arch)?.into_iter().filter_map(block).collect())
}

/// Fresh weights: each tensor from its own stream of (seed, name), so that they are the same anywhere.
pub fn initial(arch: &Arch, seed: u64) -> Result<Vec<(String, Tensor)>> {
    tensors(arch)?
        .into_iter()
        .map(|entry| Ok((entry.name.clone(), fresh(&entry, seed)?)))
        .collect()
}

fn fresh(entry: &Entry, seed: u64) -> Result<Tensor> {
    // FNV-1a of the name picks the stream.
    let lane = entry.name.bytes().fold(0xcbf29ce484222325u64, |h, b| {
        (h ^ b as u64).wrapping_mul(0x100000001b3)
    });
    let mut rng = stream(seed, "weights", lane, 0);
    let n = entry.shape.iter().product::<usize>();
    let values: Vec<f32> = match entry.init {
        Init::Const(value) => vec![value as f32; n],
        Init::Uniform { lo, up } => (0..n)
            .map(|_| (lo + (up - lo) * uniform(&mut rng)) as f32)
            .collect(),
        Init::Randn { mean, stdev } => (0..n)
            .map(|_| {
                let (radius, angle) = polar(&mut rng);
                (mean + stdev * radius * angle.cos()) as f32
            })
            .collect(),
        Init::Kaiming { .. } => bail!("`{}` has no start of its own", entry.name),
    };
    Tensor::from_vec(values, entry.shape.as_slice(), &Device::Cpu)
}
