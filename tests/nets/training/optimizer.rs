//! AdamW and the EMA on tensors of every size: torch's single-precision rule, to the bit, on any number of threads.

use crate::support::tensors::{normal, pools};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use fidrunner::experiment::file::experiment::Train;
use fidrunner::stages::train::optimizer::adamw::AdamW;
use std::collections::HashMap;

/// Below, at and past what one task moves.
const SIZES: [usize; 4] = [1, 1000, 1 << 14, (1 << 15) + 77];

fn train() -> Train {
    let text = "data = 'shapes'\nsteps = 9\nbatch = 1\nlearning_rate = 0.01\nweight_decay = 0.1\nema = 0.9";
    toml::from_str(text).expect("a training")
}

fn weights() -> Result<Vec<(String, Tensor)>> {
    let named = |(i, n): (usize, usize)| Ok((format!("w{i}"), normal(i as u64, n, 1.0)?));
    SIZES.into_iter().enumerate().map(named).collect()
}

/// A tensor's name, its weights and their EMA.
type Moved = (String, Vec<f32>, Vec<f32>);

/// What three updates make of the weights; the loss is the sum of w^4 / 4, so that gradients are w^3.
fn three_updates() -> Result<Vec<Moved>> {
    let mut adamw = AdamW::new(weights()?, &train()).expect("an optimizer");
    let tensors: HashMap<String, Tensor> = adamw.tensors();
    for _ in 0..3 {
        let mut loss = Tensor::new(0f32, &candle_core::Device::Cpu)?;
        for w in tensors.values() {
            loss = (loss + (w.sqr()?.sqr()?.sum_all()? * 0.25)?)?;
        }
        let gradients = adamw.gradients(loss.backward()?).expect("gradients");
        adamw.update(&gradients, 0.01).expect("an update");
    }
    let ema = adamw.ema().expect("the means").into_iter();
    ema.map(|(name, ema)| {
        let weight = tensors[&name].to_vec1::<f32>()?;
        Ok((name, weight, ema.to_vec1::<f32>()?))
    })
    .collect()
}

/// The same of one weight, in f64.
fn by_formula(start: f32) -> (f64, f64) {
    let mut p = f64::from(start);
    let (mut m, mut v, mut ema) = (0f64, 0f64, p);
    for step in 1..=3 {
        let g = p * p * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let (first, second) = (1.0 - 0.9f64.powi(step), 1.0 - 0.999f64.powi(step));
        p = p * (1.0 - 0.01 * 0.1) - 0.01 * (m / first) / ((v / second).sqrt() + 1e-8);
        ema = 0.9 * ema + 0.1 * p;
    }
    (p, ema)
}

#[test]
fn every_weight_moves_by_the_rule() -> Result<()> {
    let before: HashMap<String, Tensor> = weights()?.into_iter().collect();
    for (name, weight, ema) in three_updates()? {
        let start = before[&name].to_vec1::<f32>()?;
        for (i, start) in start.into_iter().enumerate() {
            let (p, mean) = by_formula(start);
            let (p, mean) = (f64::from(weight[i]) - p, f64::from(ema[i]) - mean);
            let near = p.abs() < 2e-6 && mean.abs() < 2e-6;
            assert!(
                near,
                "{name}[{i}] = {start}: off by {p:e}, its mean by {mean:e}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_bits_are_the_same_on_any_threads() -> Result<()> {
    let bits = || -> Result<Vec<(Vec<u32>, Vec<u32>)>> {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        let moved = three_updates()?.into_iter();
        Ok(moved.map(|(_, w, ema)| (bits(w), bits(ema))).collect())
    };
    let want = bits()?;
    for pool in pools() {
        assert!(pool.install(bits)? == want);
    }
    Ok(())
}

#[test]
fn a_weight_without_a_gradient_is_named() -> Result<()> {
    let adamw = AdamW::new(weights()?, &train()).expect("an optimizer");
    let vb = VarBuilder::from_tensors(
        adamw.tensors(),
        candle_core::DType::F32,
        &candle_core::Device::Cpu,
    );
    let loss = vb.get(SIZES[1], "w1")?.sqr()?.sum_all()?;
    let refused = adamw.gradients(loss.backward()?).unwrap_err().to_string();
    assert!(refused.contains("no gradient reaches `w0`"), "{refused}");
    Ok(())
}
