//! The CPU kernels against candle's plain composition: values, gradients, and bits that do not depend on batch or threads.

use crate::support::tensors::{bits, far, normal, pools};
use candle_core::{DType, Device, Result, Tensor, Var};
use fidrunner::kernels::conv::{Conv2d, conv2d};
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};
use fidrunner::machine::isa::Isa;

/// A convolution: batch, channels in, height, width, channels out, kernel, stride, padding.
type Case = (usize, usize, usize, usize, usize, usize, usize, usize);

const CASES: &[Case] = &[
    (3, 3, 16, 16, 32, 3, 1, 1),
    (2, 32, 16, 16, 32, 3, 1, 1),
    (1, 64, 32, 32, 64, 3, 1, 1),
    (3, 96, 8, 8, 64, 3, 1, 1),
    (1, 128, 8, 8, 256, 3, 1, 1),
    (2, 256, 8, 8, 96, 3, 1, 1),
    (1, 32, 64, 64, 6, 3, 1, 1),
    (3, 40, 17, 9, 33, 3, 1, 1),
    (2, 5, 9, 7, 3, 3, 1, 1),
    (2, 33, 5, 6, 40, 3, 1, 0),
    (2, 20, 15, 15, 40, 3, 2, 1),
    (3, 32, 16, 16, 64, 3, 2, 1),
    (2, 64, 9, 17, 48, 1, 1, 0),
    (1, 192, 8, 8, 64, 1, 1, 0),
    (2, 48, 65, 1, 144, 1, 1, 0),
    (1, 20, 257, 1, 7, 1, 1, 0),
    (3, 1, 4, 3, 5, 1, 1, 0),
    (2, 20, 17, 17, 70, 5, 1, 2),
    (2, 3, 29, 29, 16, 5, 2, 2),
];

fn inputs(case: &Case) -> Result<(Var, Var, Var)> {
    let &(n, ci, h, w, co, k, ..) = case;
    let fan = ((ci * k * k) as f32).sqrt();
    Ok((
        Var::from_tensor(&normal(1, (n, ci, h, w), 1.0)?)?,
        Var::from_tensor(&normal(2, (co, ci, k, k), 1.0 / fan)?)?,
        Var::from_tensor(&normal(3, co, 1.0)?)?,
    ))
}

#[test]
fn convolution_and_its_gradients_match_candle_on_every_instruction_set() -> Result<()> {
    for case in CASES {
        let (x, w, b) = inputs(case)?;
        let &(.., stride, pad) = case;
        let bias = b.reshape((1, b.elem_count(), 1, 1))?;
        let want = x.conv2d(&w, pad, stride, 1, 1)?.broadcast_add(&bias)?;
        let r = normal(4, want.shape(), 1.0)?;
        let want_grads = (&want * &r)?.sum_all()?.backward()?;
        for isa in Isa::available() {
            let y = Conv2d::new(stride, pad).on(isa).apply(&x, &w, Some(&b))?;
            assert!(far(&y, &want)? < 2e-5, "{case:?} {isa:?}");
            let grads = (&y * &r)?.sum_all()?.backward()?;
            for (name, v) in [("x", &x), ("w", &w), ("b", &b)] {
                let error = far(grads.get(v).unwrap(), want_grads.get(v).unwrap())?;
                assert!(error < 3e-5, "{case:?} {isa:?} d{name}: {error:e}");
            }
        }
    }
    Ok(())
}

/// The convolution as loops in f64: candle's own gradient refuses a 15 x 16 input at stride 2.
struct Loops {
    x: Vec<f32>,
    w: Vec<f32>,
    case: Case,
}

impl Loops {
    fn out(&self) -> (usize, usize) {
        let (_, _, h, w, _, k, s, p) = self.case;
        ((h + 2 * p - k) / s + 1, (w + 2 * p - k) / s + 1)
    }

    /// Calls `f(index in x, index in w, index in y)` for every product.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (n, ci, h, w, co, k, s, p) = self.case;
        let (oh, ow) = self.out();
        for i in 0..n * co * oh * ow {
            let (image, o, oy, ox) = (i / (co * oh * ow), i / (oh * ow) % co, i / ow % oh, i % ow);
            for j in 0..ci * k * k {
                let (c, ky, kx) = (j / (k * k), j / k % k, j % k);
                let (y, x) = ((oy * s + ky).wrapping_sub(p), (ox * s + kx).wrapping_sub(p));
                if y < h && x < w {
                    f(
                        ((image * ci + c) * h + y) * w + x,
                        (o * ci + c) * k * k + ky * k + kx,
                        i,
                    );
                }
            }
        }
    }
}

#[test]
fn strided_gradients_are_right_for_odd_and_even_sizes() -> Result<()> {
    for case in [
        (2, 20, 15, 16, 20, 3, 2, 1),
        (2, 20, 16, 15, 20, 3, 2, 1),
        (1, 7, 16, 16, 18, 1, 2, 0),
        (2, 6, 16, 15, 20, 5, 3, 2),
    ] {
        let (x, w, _) = inputs(&case)?;
        let y = conv2d(&x, &w, None, case.6, case.7)?;
        let r = normal(4, y.shape(), 1.0)?;
        let grads = (&y * &r)?.sum_all()?.backward()?;
        let flat = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
        let loops = Loops {
            x: flat(&x)?,
            w: flat(&w)?,
            case,
        };
        let r = flat(&r)?;
        let (mut y64, mut dx, mut dw) = (
            vec![0f64; y.elem_count()],
            vec![0f64; loops.x.len()],
            vec![0f64; loops.w.len()],
        );
        loops.each(|i, j, o| {
            let (x, w, r) = (
                f64::from(loops.x[i]),
                f64::from(loops.w[j]),
                f64::from(r[o]),
            );
            y64[o] += x * w;
            dx[i] += r * w;
            dw[j] += r * x;
        });
        for (got, want) in [
            (&y, y64),
            (grads.get(&x).unwrap(), dx),
            (grads.get(&w).unwrap(), dw),
        ] {
            let want = Tensor::from_vec(want, got.shape(), &Device::Cpu)?.to_dtype(DType::F32)?;
            assert!(far(got, &want)? < 1e-5, "{case:?} {:?}", got.shape());
        }
    }
    Ok(())
}

#[test]
fn an_image_is_convolved_to_the_same_bits_in_any_batch_and_on_any_threads() -> Result<()> {
    for case in [
        (3, 32, 16, 16, 64, 3, 1, 1),
        (3, 3, 17, 9, 32, 3, 1, 1),
        (3, 64, 64, 64, 32, 3, 1, 1),
        (3, 64, 16, 16, 64, 3, 2, 1),
        (3, 160, 8, 8, 96, 1, 1, 0),
    ] {
        let (x, w, b) = inputs(&case)?;
        let (stride, pad) = (case.6, case.7);
        let run = |x: &Tensor| -> Result<(Vec<u32>, Vec<u32>, Vec<u32>)> {
            let x = Var::from_tensor(x)?;
            let y = conv2d(&x, &w, Some(&b), stride, pad)?;
            let grads = y.sqr()?.sum_all()?.backward()?;
            Ok((
                bits(&y)?,
                bits(grads.get(&x).unwrap())?,
                bits(grads.get(&w).unwrap())?,
            ))
        };
        let want = run(&x)?;
        for pool in pools() {
            assert!(pool.install(|| run(&x))? == want, "{case:?}: threads");
        }
        for i in 0..3 {
            let (y, dx, _) = run(&x.narrow(0, i, 1)?)?;
            assert!(y == want.0[i * y.len()..][..y.len()], "{case:?}: batch");
            assert!(
                dx == want.1[i * dx.len()..][..dx.len()],
                "{case:?}: batch, dx"
            );
        }
    }
    Ok(())
}

#[test]
fn denormal_inputs_give_what_zeros_give() -> Result<()> {
    let w = normal(2, (32, 32, 3, 3), 0.1)?;
    let x = normal(1, (2, 32, 8, 8), 1.0)?;
    let tiny = (normal(1, (2, 32, 8, 8), 1.0)?.sign()? * 1e-40)?;
    let mask = x.gt(0f32)?;
    let denormal = mask.where_cond(&x, &tiny)?;
    let zero = mask.where_cond(&x, &x.zeros_like()?)?;
    assert_eq!(
        bits(&conv2d(&denormal, &w, None, 1, 1)?)?,
        bits(&conv2d(&zero, &w, None, 1, 1)?)?
    );
    let one = Tensor::ones(32, DType::F32, &Device::Cpu)?;
    let norm =
        |x: &Tensor| group_norm(x, 8, &one, &one, None, Activation::Silu).and_then(|y| bits(&y));
    assert_eq!(norm(&denormal)?, norm(&zero)?);
    Ok(())
}

/// Group normalisation out of candle's operations.
fn plain_norm(
    x: &Tensor,
    groups: usize,
    w: &Tensor,
    b: &Tensor,
    ss: Option<(&Tensor, &Tensor)>,
    silu: bool,
) -> Result<Tensor> {
    let (n, c, h, wd) = x.dims4()?;
    let rows = x.reshape((n, groups, c / groups * h * wd))?;
    let d = rows.broadcast_sub(&rows.mean_keepdim(2)?)?;
    let unit = d.broadcast_div(&(d.sqr()?.mean_keepdim(2)? + 1e-5)?.sqrt()?)?;
    let y = unit
        .reshape((n, c, h, wd))?
        .broadcast_mul(&w.reshape((1, c, 1, 1))?)?
        .broadcast_add(&b.reshape((1, c, 1, 1))?)?;
    let y = match ss {
        Some((scale, shift)) => y
            .broadcast_mul(&(scale.reshape((n, c, 1, 1))? + 1.0)?)?
            .broadcast_add(&shift.reshape((n, c, 1, 1))?)?,
        None => y,
    };
    if silu { y.silu() } else { Ok(y) }
}

#[test]
fn group_norm_and_its_gradients_match_candle() -> Result<()> {
    for (n, c, h, w, groups) in [
        (3, 32, 16, 16, 32),
        (1, 64, 8, 8, 32),
        (2, 96, 17, 9, 8),
        (1, 6, 1, 3, 2),
    ] {
        for (ss, silu) in [(false, false), (false, true), (true, true), (true, false)] {
            let var = |seed, shape: Vec<usize>| Var::from_tensor(&normal(seed, shape, 1.0)?);
            let x = Var::from_tensor(&(normal(1, (n, c, h, w), 2.0)? + 0.7)?)?;
            let (weight, bias) = (var(2, vec![c])?, var(3, vec![c])?);
            let (scale, shift) = (var(4, vec![n, c])?, var(5, vec![n, c])?);
            let pair = ss.then_some((scale.as_tensor(), shift.as_tensor()));
            let want = plain_norm(&x, groups, &weight, &bias, pair, silu)?;
            let activation = if silu {
                Activation::Silu
            } else {
                Activation::None
            };
            let both = pair.map(|(scale, shift)| Tensor::cat(&[scale, shift], 1));
            let both = both.transpose()?;
            let y = group_norm(&x, groups, &weight, &bias, both.as_ref(), activation)?;
            assert!(far(&y, &want)? < 5e-6);
            let r = normal(6, y.shape(), 1.0)?;
            let grads = (&y * &r)?.sum_all()?.backward()?;
            let want = (&want * &r)?.sum_all()?.backward()?;
            let mut vars = vec![("x", &x), ("weight", &weight), ("bias", &bias)];
            if ss {
                vars.extend([("scale", &scale), ("shift", &shift)]);
            }
            for (name, v) in vars {
                let error = far(grads.get(v).unwrap(), want.get(v).unwrap())?;
                assert!(error < 2e-5, "{c}x{h}x{w} {ss} {silu} d{name}: {error:e}");
            }
        }
    }
    Ok(())
}

#[test]
fn group_norm_gives_the_same_bits_in_any_batch_and_on_any_threads() -> Result<()> {
    let x = normal(1, (3, 64, 17, 9), 1.0)?;
    let (w, b) = (normal(2, 64, 1.0)?, normal(3, 64, 1.0)?);
    let run = |x: &Tensor| -> Result<(Vec<u32>, Vec<u32>)> {
        let x = Var::from_tensor(x)?;
        let y = group_norm(&x, 32, &w, &b, None, Activation::Silu)?;
        let grads = y.sqr()?.sum_all()?.backward()?;
        Ok((bits(&y)?, bits(grads.get(&x).unwrap())?))
    };
    let want = run(&x)?;
    for pool in pools() {
        assert!(pool.install(|| run(&x))? == want);
    }
    for i in 0..3 {
        let (y, dx) = run(&x.narrow(0, i, 1)?)?;
        assert!(y == want.0[i * y.len()..][..y.len()]);
        assert!(dx == want.1[i * dx.len()..][..dx.len()]);
    }
    Ok(())
}
