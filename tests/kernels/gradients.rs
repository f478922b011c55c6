//! Recorded operations: their gradients are those of candle's own `backward`, number by number.

use crate::support::tensors::{bits, normal, pools};
use candle_core::{Result, Tensor, Var};
use fidrunner::kernels::attention::qkv::{Order, qkv_attention};
use fidrunner::kernels::attention::scaled_dot::attention;
use fidrunner::kernels::conv::conv2d;
use fidrunner::kernels::gradients::record::{recording, seam};
use fidrunner::kernels::norm::group_norm::{Activation, group_norm};
use fidrunner::kernels::pairs::{join, masked, sum};
use fidrunner::kernels::resample::{avg_pool2, upsample2};

fn var(seed: u64, shape: &[usize]) -> Result<Var> {
    Var::from_tensor(&normal(seed, shape, 0.5)?)
}

/// Every variable's gradient by both ways; they must be equal, where -0 equals 0.
fn assert_as_candle(vars: &[Var], loss: &dyn Fn() -> Result<Tensor>) -> Result<()> {
    let want = loss()?.backward()?;
    let (recorded, record) = recording(loss);
    let got = record.backward(&recorded?)?;
    for (i, var) in vars.iter().enumerate() {
        let (got, want) = (got.get(var), want.get(var));
        let (Some(got), Some(want)) = (got, want) else {
            panic!(
                "variable {i}: a gradient {}, {}",
                got.is_some(),
                want.is_some()
            );
        };
        let [got, want] = [got, want].map(|t| t.flatten_all()?.to_vec1::<f32>());
        assert_eq!(got?, want?, "variable {i}");
    }
    Ok(())
}

/// A block of every operation, whose first map is used three times, and variables of all of it.
struct Block {
    vars: Vec<Var>,
    mask: Tensor,
}

impl Block {
    fn new() -> Result<Block> {
        let shapes: [&[usize]; 10] = [
            &[2, 32, 8, 8],
            &[32, 32, 3, 3],
            &[32],
            &[96, 32, 1],
            &[96],
            &[32],
            &[32],
            &[2, 64],
            &[64, 64, 3, 3],
            &[64],
        ];
        let vars = (0..).zip(shapes).map(|(i, shape)| var(i, shape));
        Ok(Block {
            vars: vars.collect::<Result<_>>()?,
            mask: normal(20, &[2, 32, 8, 8], 1.0)?
                .ge(0.0)?
                .to_dtype(candle_core::DType::F32)?,
        })
    }

    fn forward(&self, order: Order) -> Result<Tensor> {
        let [x, w, b, qkv, qkv_bias, gain, offset, emb, head, head_bias] = &self.vars[..] else {
            panic!("ten variables")
        };
        let e = (emb.as_tensor() * 0.5)?.tanh()?;
        let h = conv2d(x, w, Some(b.as_tensor()), 1, 1)?;
        let h = group_norm(&h, 8, gain, offset, Some(&e), Activation::Silu)?;
        let first = sum(x, &masked(&h, &self.mask)?)?;
        let parts = conv2d(&first, qkv, Some(qkv_bias.as_tensor()), 1, 0)?;
        let second = sum(&first, &qkv_attention(&parts, 2, order)?)?;
        let third = upsample2(&avg_pool2(&second)?)?;
        let both = join(&third, &first)?;
        conv2d(&both, head, Some(head_bias.as_tensor()), 1, 1)
    }
}

fn loss(y: &Tensor) -> Result<Tensor> {
    (y * normal(30, y.shape(), 1.0)?)?.sqr()?.mean_all()
}

#[test]
fn gradients_of_every_operation_are_those_of_candle() -> Result<()> {
    let block = Block::new()?;
    for order in [Order::ByHead, Order::ByPart] {
        assert_as_candle(&block.vars, &|| loss(&seam(&block.forward(order)?)?))?;
    }
    Ok(())
}

#[test]
fn they_are_the_same_on_any_threads() -> Result<()> {
    let block = Block::new()?;
    let run = || -> Result<Vec<Vec<u32>>> {
        let (made, record) = recording(|| loss(&seam(&block.forward(Order::ByPart)?)?));
        let grads = record.backward(&made?)?;
        let of = |var: &Var| bits(grads.get(var).expect("a gradient"));
        block.vars.iter().map(of).collect()
    };
    let want = run()?;
    for pool in pools() {
        assert!(pool.install(run)? == want);
    }
    Ok(())
}

#[test]
fn an_operation_of_candle_between_recorded_ones_costs_time_and_no_gradient() -> Result<()> {
    let block = Block::new()?;
    let weight = var(40, &[16, 64, 3, 3])?;
    let vars = [&block.vars[..], std::slice::from_ref(&weight)].concat();
    assert_as_candle(&vars, &|| {
        let h = block.forward(Order::ByPart)?.tanh()?;
        loss(&seam(&conv2d(&h, &weight, None, 1, 1)?)?)
    })
}

#[test]
fn several_seams_and_none() -> Result<()> {
    let block = Block::new()?;
    let weight = var(41, &[16, 64, 3, 3])?;
    let vars = [&block.vars[..], std::slice::from_ref(&weight)].concat();
    let two = |first: &Tensor, second: &Tensor| loss(first)? + loss(second)?;
    assert_as_candle(&vars, &|| {
        let h = block.forward(Order::ByHead)?;
        let y = conv2d(&h, &weight, None, 2, 1)?;
        two(&seam(&h)?, &seam(&y)?)
    })?;
    assert_as_candle(&block.vars, &|| loss(&block.forward(Order::ByHead)?))
}

#[test]
fn parts_of_one_tensor_attend_as_parts_of_their_own() -> Result<()> {
    let (n, heads, d, l) = (3, 2, 16, 20);
    let c = heads * d;
    let qkv = var(1, &[n, 3 * c, l])?;
    let whole = qkv.as_tensor();
    let by_part = |i: usize| {
        let part = whole.narrow(1, i * c, c)?.contiguous()?;
        part.reshape((n * heads, d, l))
    };
    let by_head = |i: usize| {
        let heads = whole.reshape((n * heads, 3 * d, l))?;
        heads.narrow(1, i * d, d)?.contiguous()
    };
    let parts: [&dyn Fn(usize) -> Result<Tensor>; 2] = [&by_part, &by_head];
    for (order, part) in [Order::ByPart, Order::ByHead].into_iter().zip(parts) {
        let want = attention(&part(0)?, &part(1)?, &part(2)?)?.reshape((n, c, l))?;
        let got = qkv_attention(&qkv, heads, order)?;
        assert_eq!(bits(&got)?, bits(&want)?);
        let of = |y: Tensor| -> Result<Vec<f32>> {
            let grads = loss(&y)?.backward()?;
            grads
                .get(&qkv)
                .expect("a gradient")
                .flatten_all()?
                .to_vec1()
        };
        assert_eq!(of(got)?, of(want)?);
    }
    let refused = qkv_attention(&qkv, 5, Order::ByPart)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("3 parts in 5 heads"), "{refused}");
    Ok(())
}

#[test]
fn pairs_are_those_of_candle() -> Result<()> {
    let (a, b) = (
        normal(1, &[3, 5, 70, 90], 1.0)?,
        normal(2, &[3, 5, 70, 90], 1.0)?,
    );
    assert_eq!(bits(&sum(&a, &b)?)?, bits(&(&a + &b)?)?);
    assert_eq!(bits(&masked(&a, &b)?)?, bits(&(&a * &b)?)?);
    let more = normal(3, &[3, 2, 70, 90], 1.0)?;
    assert_eq!(
        bits(&join(&a, &more)?)?,
        bits(&Tensor::cat(&[&a, &more], 1)?)?
    );
    let turned = a.transpose(2, 3)?;
    assert!(
        sum(&a, &turned).is_err() && masked(&a, &turned).is_err() && join(&a, &turned).is_err()
    );
    let own = b.transpose(2, 3)?;
    assert_eq!(bits(&sum(&turned, &own)?)?, bits(&(&turned + &own)?)?);
    Ok(())
}
