//! Linear layers, attention and resampling against candle's plain composition: values, gradients, and invariant bits.

use crate::support::tensors::{bits, far, normal, pools};
use candle_core::{D, Result, Tensor, Var};
use fidrunner::kernels::attention::scaled_dot::{Attention, attention};
use fidrunner::kernels::linear::product::linear;
use fidrunner::kernels::resample::{avg_pool2, upsample2};
use fidrunner::machine::isa::Isa;

fn var(seed: u64, shape: &[usize]) -> Result<Var> {
    Var::from_tensor(&normal(seed, shape, 1.0)?)
}

/// Values and gradients of two ways to compute the same.
fn assert_same(name: &str, vars: &[&Var], got: &Tensor, want: &Tensor, limit: f32) -> Result<()> {
    let error = far(got, want)?;
    assert!(error < limit, "{name}: {error:e}");
    let r = normal(99, want.shape(), 1.0)?;
    let got = (got * &r)?.sum_all()?.backward()?;
    let want = (want * &r)?.sum_all()?.backward()?;
    for (i, v) in vars.iter().enumerate() {
        let error = far(got.get(v).unwrap(), want.get(v).unwrap())?;
        assert!(error < limit, "{name}, gradient {i}: {error:e}");
    }
    Ok(())
}

#[test]
fn linear_and_its_gradients_match_candle() -> Result<()> {
    for (n, i, o) in [
        (1, 128, 512),
        (3, 33, 70),
        (17, 64, 10),
        (64, 256, 256),
        (2, 1, 1),
        (5, 512, 40),
    ] {
        let (x, w, b) = (var(1, &[n, i])?, var(2, &[o, i])?, var(3, &[o])?);
        let want = x.matmul(&w.t()?)?.broadcast_add(&b)?;
        let got = linear(&x, &w, Some(&b))?;
        assert_same(&format!("{n} {i} {o}"), &[&x, &w, &b], &got, &want, 1e-5)?;
    }
    Ok(())
}

#[test]
fn a_row_has_the_same_bits_beside_any_others_and_on_any_threads() -> Result<()> {
    for (n, i, o) in [(40, 96, 70), (3, 512, 512)] {
        let (x, w) = (normal(1, (n, i), 1.0)?, normal(2, (o, i), 1.0)?);
        let run = |x: &Tensor| -> Result<(Vec<u32>, Vec<u32>)> {
            let x = Var::from_tensor(x)?;
            let y = linear(&x, &w, None)?;
            let grads = y.sqr()?.sum_all()?.backward()?;
            Ok((bits(&y)?, bits(grads.get(&x).unwrap())?))
        };
        let want = run(&x)?;
        for pool in pools() {
            assert!(pool.install(|| run(&x))? == want);
        }
        for r in 0..n {
            let (y, dx) = run(&x.narrow(0, r, 1)?)?;
            assert!(y == want.0[r * o..][..o] && dx == want.1[r * i..][..i]);
        }
    }
    Ok(())
}

fn plain_attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let scale = (q.dim(1)? as f64).powf(-0.25);
    let scores = (q * scale)?
        .transpose(1, 2)?
        .contiguous()?
        .matmul(&(k * scale)?)?;
    let p = candle_nn::ops::softmax(&scores, D::Minus1)?;
    v.matmul(&p.transpose(1, 2)?.contiguous()?)
}

#[test]
fn attention_and_its_gradients_match_candle_on_every_instruction_set() -> Result<()> {
    for (heads, d, l) in [
        (4, 32, 64),
        (2, 64, 256),
        (3, 4, 9),
        (1, 17, 153),
        (6, 48, 64),
        (2, 16, 2),
    ] {
        let shape = [heads, d, l];
        let (q, k, v) = (var(1, &shape)?, var(2, &shape)?, var(3, &shape)?);
        let want = plain_attention(&q, &k, &v)?;
        for isa in Isa::available() {
            let got = q.apply_op3(&k, &v, Attention::new(isa))?;
            assert_same(
                &format!("{shape:?} {isa:?}"),
                &[&q, &k, &v],
                &got,
                &want,
                1e-5,
            )?;
        }
    }
    Ok(())
}

#[test]
fn a_head_has_the_same_bits_in_any_batch_and_on_any_threads() -> Result<()> {
    for shape in [[3, 32, 64], [3, 64, 100]] {
        let qkv = [1, 2, 3].map(|seed| normal(seed, &shape[..], 2.0));
        let [q, k, v] = [&qkv[0], &qkv[1], &qkv[2]].map(|t| t.as_ref().expect("inputs"));
        let run = |q: &Tensor, k: &Tensor, v: &Tensor| -> Result<(Vec<u32>, Vec<u32>)> {
            let q = Var::from_tensor(q)?;
            let y = attention(&q, k, v)?;
            let grads = y.sqr()?.sum_all()?.backward()?;
            Ok((bits(&y)?, bits(grads.get(&q).unwrap())?))
        };
        let want = run(q, k, v)?;
        for pool in pools() {
            assert!(pool.install(|| run(q, k, v))? == want);
        }
        for i in 0..3 {
            let one = |t: &Tensor| t.narrow(0, i, 1);
            let (y, dq) = run(&one(q)?, &one(k)?, &one(v)?)?;
            assert!(y == want.0[i * y.len()..][..y.len()]);
            assert!(dq == want.1[i * dq.len()..][..dq.len()]);
        }
    }
    Ok(())
}

#[test]
fn large_scores_do_not_overflow() -> Result<()> {
    let q = normal(1, (2, 32, 64), 60.0)?;
    let (got, want) = (attention(&q, &q, &q)?, plain_attention(&q, &q, &q)?);
    assert!(far(&got, &want)? < 1e-5);
    Ok(())
}

#[test]
fn resampling_and_its_gradients_match_candle_where_an_input_is_used_twice() -> Result<()> {
    for (n, c, h, w) in [(3, 5, 8, 8), (1, 2, 4, 18), (2, 3, 1, 1)] {
        let x = var(1, &[n, c, h, w])?;
        let wide = x
            .reshape((n, c, h, 1, w, 1))?
            .broadcast_as((n, c, h, 2, w, 2))?
            .reshape((n, c, 2 * h, 2 * w))?;
        let want = (&wide + wide.affine(0.5, 0.0)?)?;
        let got = (upsample2(&x)? + upsample2(&x)?.affine(0.5, 0.0)?)?;
        assert_same("upsample2", &[&x], &got, &want, 1e-6)?;
        if h > 1 {
            let want = (x.avg_pool2d(2)? + x.avg_pool2d(2)?.sqr()?)?;
            let got = (avg_pool2(&x)? + avg_pool2(&x)?.sqr()?)?;
            assert_same("avg_pool2", &[&x], &got, &want, 1e-6)?;
        }
    }
    Ok(())
}

#[test]
fn avg_pool2_leaves_out_a_last_odd_row_and_column() -> Result<()> {
    let x = var(1, &[2, 3, 7, 5])?;
    let even = x.narrow(2, 0, 6)?.narrow(3, 0, 4)?;
    assert_same(
        "avg_pool2",
        &[&x],
        &avg_pool2(&x)?,
        &even.avg_pool2d(2)?,
        1e-6,
    )
}
