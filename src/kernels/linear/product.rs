//! A linear layer whose rows do not depend on how many there are.

use crate::kernels::linear::matrix::{Matrix, product};
use crate::kernels::view::{View, ours, slice, tensor};
use crate::machine::isa::Isa;
use crate::machine::profile::{Operation, span};
use crate::machine::scratch::unfilled;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `x [n, i]` times the transpose of `w [o, i]`, plus `bias [o]` → `[n, o]`; differentiable in all three.
///
/// On the CPU in f32 a row has the same bits whatever the number of rows and threads; elsewhere it is candle's product.
pub fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let _span = span(Operation::LinearForward);
    if !ours(&[x, w]) || bias.is_some_and(|b| !ours(&[b])) {
        let y = x.matmul(&w.t()?)?;
        #[cfg(feature = "cuda")]
        if let Some(bias) = bias.filter(|b| crate::kernels::cuda::takes(&[&y, b]))
            && y.dtype() == candle_core::DType::F32
            && !y.track_op()
            && !bias.track_op()
        {
            crate::kernels::cuda::bias::add_to_rows(&y, bias)?;
            return Ok(y);
        }
        return match bias {
            Some(b) => y.broadcast_add(b),
            None => Ok(y),
        };
    }
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match bias {
        Some(b) => x.apply_op3(&w, &b.contiguous()?, Linear),
        None => x.apply_op2(&w, Linear),
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

impl Linear {
    fn forward(
        x: (&CpuStorage, &Layout),
        w: (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, i, o) = sizes(x.1.shape(), w.1.shape())?;
        if let Some(bias) = bias
            && bias.len() != o
        {
            bail!("linear: a bias of {} does not fit {o} outputs", bias.len());
        }
        let (x, w) = (slice(x.0, x.1)?, slice(w.0, w.1)?);
        let mut y = unfilled(n * o);
        let (x, w) = (Matrix::Rows(x), Matrix::Turned(w));
        product(Isa::best(), x, w, bias, (n, o, i), &mut y);
        Ok((CpuStorage::F32(y), (n, o).into()))
    }

    /// Gradients of x and w from dy [n, o].
    fn grads(x: &Tensor, w: &Tensor, dy: &[f32]) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _span = span(Operation::LinearBackward);
        let (n, i, o) = sizes(x.shape(), w.shape())?;
        let mut grads = (None, None);
        if x.track_op() {
            let (mut dx, w) = (unfilled(n * i), View::of(w)?);
            let (dy, w) = (Matrix::Rows(dy), Matrix::Rows(&w));
            product(Isa::best(), dy, w, None, (n, i, o), &mut dx);
            grads.0 = Some(tensor(dx, (n, i))?);
        }
        if w.track_op() {
            let (mut dw, x) = (unfilled(o * i), View::of(x)?);
            let (dy, x) = (Matrix::Turned(dy), Matrix::Rows(&x));
            product(Isa::best(), dy, x, None, (o, i, n), &mut dw);
            grads.1 = Some(tensor(dw, (o, i))?);
        }
        Ok(grads)
    }
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
        Linear::forward((s1, l1), (s2, l2), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        Linear::grads(x, w, &View::of(&dy)?)
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Linear::forward((s1, l1), (s2, l2), Some(slice(s3, l3)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let dy = View::of(&dy)?;
        let (dx, dw) = Linear::grads(x, w, &dy)?;
        let db = if bias.track_op() {
            let mut sums = vec![0f32; bias.elem_count()];
            for row in dy.chunks_exact(sums.len().max(1)) {
                for (sum, d) in sums.iter_mut().zip(row) {
                    *sum += d;
                }
            }
            Some(tensor(sums, bias.shape())?)
        } else {
            None
        };
        Ok((dx, dw, db))
    }
}
