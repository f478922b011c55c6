//! What embeddings are made with and added by: the answers and the gradients of candle's own operations, to the bit.

use crate::support::tensors::{bits, normal};
use candle_core::{Device, Result, Tensor, Var};
use fidrunner::kernels::embedding::{rows, shifted, silu};

/// The result, and the gradients of the variables where it is weighed by `slope`.
fn with_gradients(vars: &[&Var], y: Tensor, slope: &Tensor) -> Result<Vec<Vec<u32>>> {
    let grads = (&y * slope)?.sum_all()?.backward()?;
    let of = |var: &&Var| bits(grads.get(var).expect("a gradient"));
    std::iter::once(bits(&y))
        .chain(vars.iter().map(of))
        .collect()
}

#[test]
fn silu_is_candles() -> Result<()> {
    let x = Var::from_tensor(&normal(1, (5, 37), 3.0)?)?;
    let slope = normal(2, (5, 37), 1.0)?;
    let ours = with_gradients(&[&x], silu(&x)?, &slope)?;
    assert_eq!(ours, with_gradients(&[&x], x.silu()?, &slope)?);
    Ok(())
}

#[test]
fn a_row_that_is_taken_twice_has_both_gradients() -> Result<()> {
    let table = Var::from_tensor(&normal(1, (7, 12), 1.0)?)?;
    let labels = Tensor::new(&[3u32, 6, 3, 0], &Device::Cpu)?;
    let slope = normal(2, (4, 12), 1.0)?;
    let ours = with_gradients(&[&table], rows(&table, &labels)?, &slope)?;
    let theirs = with_gradients(&[&table], table.embedding(&labels)?, &slope)?;
    assert_eq!(ours, theirs);
    let none = Tensor::new(&[7u32], &Device::Cpu)?;
    assert!(rows(&table, &none).is_err());
    Ok(())
}

#[test]
fn a_number_is_added_to_each_channel_of_each_image() -> Result<()> {
    for dims in [[2, 3, 5, 7], [1, 4, 16, 16], [3, 2, 1, 1]] {
        let x = Var::from_tensor(&normal(1, &dims, 1.0)?)?;
        let e = Var::from_tensor(&normal(2, (dims[0], dims[1]), 1.0)?)?;
        let slope = normal(3, &dims, 1.0)?;
        let ours = with_gradients(&[&x, &e], shifted(&x, &e)?, &slope)?;
        let plain = x.broadcast_add(&e.unsqueeze(2)?.unsqueeze(3)?)?;
        assert_eq!(ours, with_gradients(&[&x, &e], plain, &slope)?);
        let wrong = normal(2, (dims[0], dims[1] + 1), 1.0)?;
        assert!(shifted(&x, &wrong).is_err());
    }
    Ok(())
}
