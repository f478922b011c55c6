//! FID's Inception-v3 beside torch-fidelity's extractor on the same CPU: `cargo bench --bench inception [images]`.
//! `PYTHON` names an interpreter with `benches/peers/requirements.txt`.

mod peers;

use candle_core::{Device, Result, Tensor};
use fidrunner::machine::alloc::{LineAligned, keep_pages};
use fidrunner::nets::inception::net::{Inception, SIDE, Taps, tensors};
use peers::turns::Turns;
use serde_json::json;
use std::collections::HashMap;

#[global_allocator]
static ALLOCATOR: LineAligned = LineAligned;

/// Images of a batch when the command line names no other number.
const BATCH: usize = 16;

/// Weights such that activations stay of ordinary size.
fn weights() -> Result<HashMap<String, Tensor>> {
    let fill = |(name, shape): (String, Vec<usize>)| {
        let fan = shape[1..].iter().product::<usize>() as f32;
        let tensor = match shape.len() {
            1 => Tensor::rand(0.5f32, 1.5f32, shape, &Device::Cpu)?,
            _ => Tensor::randn(0f32, (2.0 / fan).sqrt(), shape, &Device::Cpu)?,
        };
        Ok((name, tensor))
    };
    tensors().into_iter().map(fill).collect()
}

fn main() -> Result<()> {
    keep_pages();
    // Before anything calculates: packing the weights would start rayon's threads elsewhere.
    let mut turns = Turns::start(1);
    let mut numbers = std::env::args().skip(1).filter_map(|a| a.parse().ok());
    let n = numbers.next().unwrap_or(BATCH);
    let weights = weights()?;
    let get = |name: &str| Ok(weights[name].clone());
    let net = Inception::new(&get, &Device::Cpu)?;
    let x = Tensor::rand(-1f32, 1f32, (n, 3, SIDE, SIDE), &Device::Cpu)?;
    // Their extractor resizes whatever it gets; the second line leaves that out.
    for (resize, name) in [(true, "extractor"), (false, "network")] {
        let request = json!({ "op": "inception", "arguments": [n, tensors(), resize] });
        turns.row(
            &format!("Inception-v3: {n} images, {name}"),
            request,
            &mut || net.forward(&x, Taps::EVALUATOR).map(drop),
        )?;
    }
    Ok(())
}
