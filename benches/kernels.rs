//! Our kernels beside PyTorch on the same CPU: `cargo bench --bench kernels`. Both sides take turns, so that a busy
//! machine slows both. `PYTHON` names an interpreter with `benches/peers/requirements.txt`; without one, ours alone.

mod peers;

use candle_core::{Device, Result, Tensor, Var};
use fidrunner::kernels::attention::scaled_dot::attention;
use fidrunner::kernels::conv::conv2d;
use fidrunner::kernels::linear::product::linear;
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};
use fidrunner::kernels::resample;
use fidrunner::machine::alloc::{LineAligned, keep_pages};
use peers::turns::Turns;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: LineAligned = LineAligned;

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
    if grad {
        Ok(Var::from_tensor(&t)?.as_tensor().clone())
    } else {
        Ok(t)
    }
}

type Run = Box<dyn Fn() -> Result<Tensor> + Sync>;

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
            Box::new(move || group_norm(&x, 32, &w, &b, None, Activation::Silu))
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

fn main() -> Result<()> {
    keep_pages();
    let only = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let mut turns = Turns::start(5);
    for row in ROWS {
        let &(op, shape, grad) = row;
        if only.as_ref().is_some_and(|o| !op.contains(o)) {
            continue;
        }
        let run = operation(row)?;
        let mut call = || {
            let y = run()?;
            if grad {
                // From a gradient of ones, as at the peer: the operation alone, no sum around it.
                y.backward()?;
            }
            Ok(())
        };
        let name = format!("{op} {shape:?}{}", if grad { " + gradient" } else { "" });
        let request = json!({ "op": op, "shape": shape, "backward": grad });
        turns.row(&name, request, &mut call)?;
    }
    Ok(())
}
