//! Our kernels beside PyTorch on the same CPU: `cargo bench --bench kernels`. Both sides take turns, so that a busy
//! machine slows both. `PYTHON` names an interpreter with `benches/peers/requirements.txt`; without one, ours alone.

mod peers {
    pub mod torch;
}

use candle_core::{Device, Result, Tensor, Var};
use peers::torch::Peer;
use runner::kernels::{
    attention::attention, conv::conv2d, linear::linear, norm::group_norm, resample,
};
use std::time::Instant;

const ROUNDS: usize = 5;
const REPEAT: usize = 5;

/// An operation by its name at the peer, its sizes, and whether gradients are taken too.
type Row = (&'static str, &'static [usize], bool);

const ROWS: &[Row] = &[
    ("conv", &[16, 64, 32, 64, 3, 1], false),
    ("conv", &[16, 128, 16, 128, 3, 1], false),
    ("conv", &[8, 192, 64, 192, 3, 1], false),
    ("conv", &[32, 256, 8, 256, 3, 1], false),
    ("conv", &[16, 3, 64, 32, 3, 1], false),
    ("conv", &[16, 64, 32, 128, 3, 2], false),
    ("conv", &[16, 256, 16, 128, 1, 1], false),
    ("conv", &[16, 64, 32, 64, 3, 1], true),
    ("conv", &[16, 128, 16, 128, 3, 1], true),
    ("conv", &[32, 256, 8, 256, 3, 1], true),
    ("conv", &[16, 3, 64, 32, 3, 1], true),
    ("conv", &[16, 256, 16, 128, 1, 1], true),
    ("norm", &[16, 64, 32], false),
    ("norm", &[8, 192, 64], false),
    ("norm", &[16, 64, 32], true),
    ("norm", &[8, 192, 64], true),
    ("attention", &[64, 32, 64], false),
    ("attention", &[32, 64, 256], false),
    ("attention", &[8, 64, 1024], false),
    ("attention", &[64, 32, 64], true),
    ("attention", &[32, 64, 256], true),
    ("linear", &[32, 512, 512], false),
    ("linear", &[32, 512, 512], true),
    ("resample", &[16, 64, 32], false),
    ("resample", &[16, 64, 32], true),
];

fn leaf(shape: &[usize], scale: f64, grad: bool) -> Result<Tensor> {
    let t = (Tensor::randn(0f32, 1f32, shape, &Device::Cpu)? * scale)?;
    match grad {
        true => Ok(Var::from_tensor(&t)?.as_tensor().clone()),
        false => Ok(t),
    }
}

type Run = Box<dyn Fn() -> Result<Tensor>>;

/// The row's operation on fresh inputs.
fn operation(&(op, shape, grad): &Row) -> Result<Run> {
    let leaf = |shape: &[usize], scale| leaf(shape, scale, grad);
    Ok(match (op, shape) {
        ("conv", &[n, ci, size, co, k, stride]) => {
            let x = leaf(&[n, ci, size, size], 1.0)?;
            let w = leaf(&[co, ci, k, k], 1.0 / ((ci * k * k) as f64).sqrt())?;
            let b = leaf(&[co], 1.0)?;
            Box::new(move || conv2d(&x, &w, Some(&b), stride, k / 2))
        }
        ("norm", &[n, c, size]) => {
            let (x, w, b) = (
                leaf(&[n, c, size, size], 1.0)?,
                leaf(&[c], 1.0)?,
                leaf(&[c], 1.0)?,
            );
            Box::new(move || group_norm(&x, 32, &w, &b, None, true))
        }
        ("attention", shape) => {
            let (q, k, v) = (leaf(shape, 1.0)?, leaf(shape, 1.0)?, leaf(shape, 1.0)?);
            Box::new(move || attention(&q, &k, &v))
        }
        ("linear", &[n, i, o]) => {
            let (x, w, b) = (leaf(&[n, i], 1.0)?, leaf(&[o, i], 0.05)?, leaf(&[o], 1.0)?);
            Box::new(move || linear(&x, &w, Some(&b)))
        }
        (_, &[n, c, size]) => {
            let x = leaf(&[n, c, size, size], 1.0)?;
            Box::new(move || resample::upsample2(&resample::avg_pool2(&x)?))
        }
        _ => candle_core::bail!("no such row: {op} {shape:?}"),
    })
}

/// Milliseconds of one call, gradients included where the row asks for them; the median of `REPEAT`.
fn measure(run: &Run, grad: bool) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..REPEAT + 1 {
        let start = Instant::now();
        let y = run()?;
        if grad {
            y.sum_all()?.backward()?;
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&mut times[1..]))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn best(times: &mut [f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn main() -> Result<()> {
    runner::kernels::alloc::keep_pages();
    let only = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let threads = rayon::current_num_threads();
    let mut peer = Peer::start(threads);
    match &peer {
        Ok(p) => println!("{threads} threads, beside {}", p.name),
        Err(why) => println!("{threads} threads, ours alone: {why}"),
    }
    println!(
        "{:<40} {:>9} {:>9} {:>6}",
        "", "ours ms", "torch ms", "ratio"
    );
    for row in ROWS
        .iter()
        .filter(|r| only.as_ref().is_none_or(|o| r.0.contains(o)))
    {
        let run = operation(row)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(measure(&run, row.2)?);
            if let Ok(peer) = &mut peer {
                theirs.extend(peer.measure(row.0, row.1, row.2, REPEAT));
            }
        }
        let name = format!(
            "{} {:?}{}",
            row.0,
            row.1,
            if row.2 { " + gradient" } else { "" }
        );
        print!("{name:<40}");
        for pick in [median, best] {
            let ours = pick(&mut ours);
            match theirs.is_empty() {
                true => print!(" {ours:>9.2}"),
                false => {
                    let theirs = pick(&mut theirs);
                    print!(" {ours:>9.2} {theirs:>9.2} {:>6.2}", theirs / ours);
                }
            }
        }
        println!();
    }
    Ok(())
}
