//! A linear layer whose rows do not depend on how many there are.

use crate::kernels::isa::Isa;
use crate::kernels::matrix::{Matrix, product};
use crate::kernels::scratch::unfilled;
use crate::kernels::view::{View, ours, slice, tensor};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// `x [n, i]` times the transpose of `w [o, i]`, plus `bias [o]` → `[n, o]`; differentiable in all three.
///
/// On the CPU in f32 a row has the same bits whatever the number of rows and threads; elsewhere it is candle's product.
pub fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = match ours(&[x, w]) {
        true => x.contiguous()?.apply_op2(&w.contiguous()?, Linear)?,
        false => x.matmul(&w.t()?)?,
    };
    match bias {
        Some(b) => y.broadcast_add(b),
        None => Ok(y),
    }
}

struct Linear;

/// Rows, inputs and outputs.
fn sizes(x: &Shape, w: &Shape) -> Result<(usize, usize, usize)> {
    let ((n, i), (o, inputs)) = (x.dims2()?, w.dims2()?);
    if i != inputs {
        bail!("linear: input {x:?} does not fit weight {w:?}");
    }
    Ok((n, i, o))
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, i, o) = sizes(l1.shape(), l2.shape())?;
        let (x, w) = (slice(s1, l1)?, slice(s2, l2)?);
        let mut y = unfilled(n * o);
        let (x, w) = (Matrix::Rows(x), Matrix::Turned(w));
        product(Isa::best(), x, w, (n, o, i), &mut y);
        Ok((CpuStorage::F32(y), (n, o).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (n, i, o) = sizes(x.shape(), w.shape())?;
        let dy = dy.contiguous()?;
        let dy = View::of(&dy)?;
        let mut grads = (None, None);
        if x.track_op() {
            let (mut dx, w) = (unfilled(n * i), View::of(w)?);
            let (dy, w) = (Matrix::Rows(&dy), Matrix::Rows(&w));
            product(Isa::best(), dy, w, (n, i, o), &mut dx);
            grads.0 = Some(tensor(dx, (n, i))?);
        }
        if w.track_op() {
            let (mut dw, x) = (unfilled(o * i), View::of(x)?);
            let (dy, x) = (Matrix::Turned(&dy), Matrix::Rows(&x));
            product(Isa::best(), dy, x, (o, i, n), &mut dw);
            grads.1 = Some(tensor(dw, (o, i))?);
        }
        Ok(grads)
    }
}
