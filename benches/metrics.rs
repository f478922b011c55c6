//! Our metrics beside pytorch-fid 0.3.0 and torch-fidelity 0.4.0 on the same numbers: `cargo bench --bench metrics`.
//! `PYTHON` names an interpreter with `benches/peers/requirements.txt`; without one, ours alone.
//! An argument picks rows: `-- fid`; `--rows 2000` makes the feature sets smaller.

mod peers;

use candle_core::{Error, Result};
use fidrunner::metrics::frechet::distance::{Reference, frechet};
use fidrunner::metrics::frechet::extrapolate::{Points, extrapolate};
use fidrunner::metrics::frechet::moments::Moments;
use fidrunner::metrics::kernel::interval::mmd2_interval;
use fidrunner::metrics::kernel::mmd::{KidRule, kid};
use fidrunner::metrics::neighbours::adm_manifold::adm_precision_recall;
use fidrunner::metrics::neighbours::manifold::{Border, Manifold};
use fidrunner::metrics::rows::Slice;
use peers::turns::Turns;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Features of Inception's pool.
const D: usize = 2048;

/// Rows `[n, D]` of numbers above 0 that depend on each other, of full rank for n > D.
fn features(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
    let mut rows = Vec::with_capacity(n * D);
    for _ in 0..n {
        let mut level = uniform();
        for j in 0..D {
            level = 0.9 * level + 0.1 * uniform();
            rows.push(level * (1.0 + j as f32 / D as f32) + 0.2 * uniform());
        }
    }
    rows
}

fn write<T: Copy>(path: &Path, values: &[&[T]], bytes: impl Fn(T) -> Vec<u8>) -> Result<()> {
    let all = values.iter().flat_map(|v| v.iter());
    Ok(std::fs::write(
        path,
        all.flat_map(|v| bytes(*v)).collect::<Vec<u8>>(),
    )?)
}

/// Which rows are asked for, and how many features a set has.
struct Asked {
    only: Option<String>,
    n: usize,
}

impl Asked {
    fn of(arguments: &[String]) -> Asked {
        let rows = arguments.iter().position(|a| a == "--rows");
        let n = rows.and_then(|at| arguments.get(at + 1)?.parse().ok());
        let only = arguments.first().filter(|a| !a.starts_with("--"));
        Asked {
            only: only.cloned(),
            n: n.unwrap_or(10_000),
        }
    }

    fn wanted(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}

fn wrong(error: anyhow::Error) -> Error {
    Error::Msg(error.to_string())
}

/// The rows that another program has too, each side in turn.
fn beside_peers(
    turns: &mut Turns,
    asked: &Asked,
    [x, y]: [&[f32]; 2],
    [a, b]: [&Moments; 2],
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let n = asked.n;
    write(
        &path("moments"),
        &[&a.mean, &a.cov, &b.mean, &b.cov],
        |v: f64| v.to_le_bytes().to_vec(),
    )?;
    write(&path("x"), &[x], |v: f32| v.to_le_bytes().to_vec())?;
    write(&path("y"), &[y], |v: f32| v.to_le_bytes().to_vec())?;
    for peer in ["pytorch_fid", "torch_fidelity_fid"] {
        let name = format!("fid of moments, {peer}");
        if asked.wanted(&name) {
            let request = json!({ "op": peer, "arguments": [path("moments"), D] });
            turns.row(&name, request, &mut || {
                frechet(a, b).map(drop).map_err(wrong)
            })?;
        }
    }
    let sets = json!([path("x"), path("y"), D]);
    let name = format!("precision, recall of {n} and {n}");
    if asked.wanted(&name) {
        let request = json!({ "op": "torch_fidelity_prc", "arguments": sets });
        turns.row(&name, request, &mut || {
            let real = Manifold::of(y, D, 3).map_err(wrong)?;
            let made = Manifold::of(x, D, 3).map_err(wrong)?;
            real.overlap(&made, Border::Inside).map(drop).map_err(wrong)
        })?;
    }
    if asked.wanted("kid") && n >= 1000 {
        let request = json!({ "op": "torch_fidelity_kid", "arguments": sets });
        turns.row("kid, 100 subsets of 1000", request, &mut || {
            kid(x, y, D, KidRule::TORCH_FIDELITY)
                .map(drop)
                .map_err(wrong)
        })?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = Asked::of(&arguments);
    let n = asked.n;
    let mut turns = Turns::start(1);
    let (x, y) = (features(1, n), features(2, n));
    let moments = |rows: &[f32]| Moments::of(rows, D).map_err(wrong);
    let (a, b) = (moments(&x)?, moments(&y)?);
    beside_peers(&mut turns, &asked, [&x, &y], [&a, &b])?;
    // What no other program has.
    let alone = |name: &str, run: &dyn Fn() -> anyhow::Result<()>| -> Result<()> {
        if asked.wanted(name) {
            let start = Instant::now();
            run().map_err(wrong)?;
            println!(
                "{name:<40} {:>9.2}, ours alone",
                start.elapsed().as_secs_f64() * 1e3
            );
        }
        Ok(())
    };
    alone("moments", &|| Moments::of(&x, D).map(drop))?;
    let reference = Reference::new(&b).map_err(wrong)?;
    alone("fid with its interval", &|| {
        let mut rows = Slice::of(&x, D)?;
        let left_out = reference.left_out(&Moments::of_rows(&mut rows)?, &mut rows)?;
        println!(
            "{:.6} {:?}, bias {:.6}",
            left_out.value(),
            left_out.square_interval(0.0),
            left_out.bias()
        );
        Ok(())
    })?;
    alone("fid of infinitely many", &|| {
        let line = extrapolate(&reference, &mut Slice::of(&x, D)?, Points::published(n))?;
        println!(
            "{:.6} ± {:.6}, bias {:.6}",
            line.value,
            line.error,
            line.bias(n)
        );
        Ok(())
    })?;
    alone("kernel distance with its interval", &|| {
        let kid = mmd2_interval(&x, &y, D)?;
        println!(
            "{:.3e} [{:.3e}, {:.3e}]",
            kid.left_out.value(),
            kid.low,
            kid.high
        );
        Ok(())
    })?;
    alone("precision, recall, the ADM evaluator's", &|| {
        adm_precision_recall(&y, &x, D).map(drop)
    })
}
