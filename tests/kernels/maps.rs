//! Feature maps in the kernels' layout against candle's plain operations, and bits that depend on no batch and no threads.

use crate::support::tensors::{bits, far, normal, pools};
use candle_core::{Result, Tensor};
use fidrunner::kernels::maps::{Activation, Conv, Maps};
use fidrunner::machine::isa::Isa;

/// Channels in, height, width, channels out, kernel, stride, padding of rows and columns.
type Case = (
    usize,
    usize,
    usize,
    usize,
    (usize, usize),
    usize,
    (usize, usize),
);

const CASES: &[Case] = &[
    (3, 35, 37, 32, (3, 3), 2, (0, 0)),
    (3, 19, 17, 20, (3, 3), 1, (1, 1)),
    (32, 23, 21, 32, (3, 3), 1, (0, 0)),
    (32, 35, 35, 64, (3, 3), 1, (1, 1)),
    (80, 18, 17, 192, (3, 3), 1, (0, 0)),
    (96, 8, 8, 48, (3, 3), 1, (1, 1)),
    (40, 5, 6, 33, (3, 3), 1, (0, 0)),
    (64, 13, 9, 80, (1, 1), 1, (0, 0)),
    (20, 8, 8, 7, (1, 1), 1, (0, 0)),
    (48, 35, 35, 64, (5, 5), 1, (2, 2)),
    (128, 17, 17, 160, (1, 7), 1, (0, 3)),
    (160, 17, 17, 192, (7, 1), 1, (3, 0)),
    (48, 8, 8, 32, (1, 3), 1, (0, 1)),
    (48, 8, 8, 96, (3, 1), 1, (1, 0)),
    (64, 35, 33, 96, (3, 3), 2, (0, 0)),
    (33, 16, 15, 40, (3, 3), 2, (1, 1)),
];

fn inputs(n: usize, case: &Case) -> Result<(Tensor, Tensor, Tensor)> {
    let &(ci, h, w, co, (kh, kw), ..) = case;
    let fan = ((ci * kh * kw) as f32).sqrt();
    Ok((
        normal(1, (n, ci, h, w), 1.0)?,
        normal(2, (co, ci, kh, kw), 1.0 / fan)?,
        normal(3, co, 1.0)?,
    ))
}

#[test]
fn convolutions_match_candle_on_every_instruction_set() -> Result<()> {
    for case in CASES {
        let (x, w, b) = inputs(3, case)?;
        for activation in [Activation::Relu, Activation::None] {
            let &(.., stride, padding) = case;
            let want = Maps::plain(&x).conv(&Conv::plain(&w, &b, stride, padding, activation)?)?;
            let conv = Conv::new(&w, &b, stride, padding, activation)?;
            for isa in Isa::available() {
                let got = Maps::on(&x, isa)?.conv(&conv)?;
                let error = far(&got.tensor()?, &want.tensor()?)?;
                assert!(error < 2e-5, "{case:?} {isa:?}: {error:e}");
            }
        }
    }
    Ok(())
}

#[test]
fn pools_and_means_match_candle_on_every_instruction_set() -> Result<()> {
    for (c, h, w) in [(32, 35, 35), (20, 17, 9), (64, 8, 8), (48, 73, 5)] {
        let x = normal(5, (2, c, h, w), 1.0)?;
        let plain = Maps::plain(&x);
        for isa in Isa::available() {
            let maps = Maps::on(&x, isa)?;
            assert_eq!(bits(&maps.tensor()?)?, bits(&x)?);
            for (stride, pad) in [(2, 0), (1, 1), (1, 0), (2, 1)] {
                let (got, want) = (maps.max3(stride, pad)?, plain.max3(stride, pad)?);
                assert_eq!(bits(&got.tensor()?)?, bits(&want.tensor()?)?, "{isa:?}");
            }
            let (got, want) = (maps.mean3()?, plain.mean3()?);
            assert!(far(&got.tensor()?, &want.tensor()?)? < 1e-6, "{isa:?}");
            assert!(far(&maps.means()?, &plain.means()?)? < 1e-6, "{isa:?}");
            assert_eq!(bits(&maps.first(7)?)?, bits(&plain.first(7)?)?);
        }
    }
    Ok(())
}

#[test]
fn branches_stack_in_their_order() -> Result<()> {
    let x = normal(6, (2, 32, 17, 17), 1.0)?;
    let weights = |seed, co, k| normal(seed, (co, 32, k, k), 0.1);
    let stacked = |maps: &Maps, make: &dyn Fn(&Tensor, &Tensor, usize) -> Result<Conv>| {
        let mut stack = maps.stack(48 + 32 + 32 + 20, (17, 17));
        stack.conv(maps, &make(&weights(7, 48, 1)?, &normal(8, 48, 1.0)?, 0)?)?;
        stack.mean3(maps)?;
        stack.max3(maps, 1, 1)?;
        stack.conv(maps, &make(&weights(9, 20, 3)?, &normal(10, 20, 1.0)?, 1)?)?;
        stack.finish()?.tensor()
    };
    let plain = stacked(&Maps::plain(&x), &|w, b, p| {
        Conv::plain(w, b, 1, (p, p), Activation::Relu)
    })?;
    let ours = stacked(&Maps::new(&x)?, &|w, b, p| {
        Conv::new(w, b, 1, (p, p), Activation::Relu)
    })?;
    assert!(far(&ours, &plain)? < 2e-5);
    Ok(())
}

#[test]
fn an_image_has_the_same_bits_in_any_batch_and_on_any_threads() -> Result<()> {
    for case in CASES {
        let (x, w, b) = inputs(5, case)?;
        let &(.., stride, padding) = case;
        let conv = Conv::new(&w, &b, stride, padding, Activation::Relu)?;
        let run = |x: &Tensor| bits(&Maps::new(x)?.conv(&conv)?.tensor()?);
        let want = pools()[0].install(|| run(&x))?;
        for pool in pools() {
            pool.install(|| -> Result<()> {
                assert!(run(&x)? == want, "{case:?}");
                let each = want.len() / 5;
                for i in 0..5 {
                    let alone = run(&x.narrow(0, i, 1)?)?;
                    assert!(alone == want[i * each..][..each], "{case:?}: image {i}");
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    let case = (32, 17, 17, 16, (3, 3), 1, (0, 0));
    let (x, w, b) = inputs(1, &case)?;
    let conv = Conv::new(&w, &b, 1, (0, 0), Activation::Relu)?;
    let maps = Maps::new(&x)?;
    assert!(Conv::new(&w, &b, 3, (0, 0), Activation::Relu).is_err());
    assert!(Conv::new(&w, &b.narrow(0, 0, 8)?, 1, (0, 0), Activation::Relu).is_err());
    assert!(Maps::new(&x.narrow(1, 0, 16)?)?.conv(&conv).is_err());
    assert!(Maps::new(&x.narrow(2, 0, 2)?)?.conv(&conv).is_err());
    assert!(Maps::new(&x.narrow(2, 0, 2)?)?.max3(1, 0).is_err());
    let mut stack = maps.stack(16, (17, 17));
    assert!(stack.conv(&maps, &conv).is_err());
    let stack = maps.stack(32, (15, 15));
    assert!(stack.finish().is_err());
    Ok(())
}
