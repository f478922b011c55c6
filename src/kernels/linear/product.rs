//! A linear layer whose rows do not depend on how many there are.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::bias;
use crate::kernels::gradients::record::{apply2, apply3};
use crate::kernels::linear::matrix::{Matrix, product};
use crate::kernels::view::{View, noted, ours, slice, tensor};
use crate::machine::isa::Isa;
use crate::machine::profile::{Operation, span};
use crate::machine::scratch::unfilled;
use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail,
};

/// `x [n, i]` times the transpose of `w [o, i]`, plus `bias [o]` → `[n, o]`; differentiable in all three, and noted.
///
/// On the CPU in f32 a row has the same bits whatever the number of rows and threads. On a GPU in f32 the product is cuBLAS's;
/// of other types it is candle's, which is not noted.
///
/// # Errors
/// Where the sizes do not fit, and those of the device.
pub fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let _span = span(Operation::LinearForward);
    let known = |t: &Tensor| t.dtype() == DType::F32 && noted(&[t]);
    if !(known(x) && known(w) && bias.is_none_or(known)) {
        let y = x.matmul(&w.t()?)?;
        return match bias {
            Some(b) => y.broadcast_add(b),
            None => Ok(y),
        };
    }
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match bias {
        Some(b) => apply3([&x, &w, &b.contiguous()?], Linear),
        None => apply2([&x, &w], Linear),
    }
}

struct Linear;

/// A storage and how a tensor lies in it.
type OnCard<'a> = (&'a CudaStorage, &'a Layout);

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

    fn on_card(x: OnCard, w: OnCard, bias: Option<OnCard>) -> Result<(CudaStorage, Shape)> {
        let (n, i, o) = sizes(x.1.shape(), w.1.shape())?;
        let y = x.0.matmul(w.0, (1, n, o, i), x.1, &w.1.transpose(0, 1)?)?;
        #[cfg(feature = "cuda")]
        let y = match bias {
            Some(bias) => bias::added_to_rows(y, o, bias)?,
            None => y,
        };
        #[cfg(not(feature = "cuda"))]
        let _ = bias;
        Ok((y, (n, o).into()))
    }

    /// Gradients of x and w from dy [n, o], by products of the device.
    fn grads_on_card(
        x: &Tensor,
        w: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _span = span(Operation::LinearBackward);
        let of = |wanted: &Tensor, product: &dyn Fn() -> Result<Tensor>| {
            wanted.track_op().then(product).transpose()
        };
        let dx = of(x, &|| dy.matmul(&w.detach()))?;
        let dw = of(w, &|| dy.t()?.matmul(&x.detach()))?;
        Ok((dx, dw))
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

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Linear::on_card((s1, l1), (s2, l2), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        if !ours(&[&dy]) {
            return Linear::grads_on_card(x, w, &dy);
        }
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

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Linear::on_card((s1, l1), (s2, l2), Some((s3, l3)))
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
        #[cfg(feature = "cuda")]
        if !ours(&[&dy]) {
            let (dx, dw) = Linear::grads_on_card(x, w, &dy)?;
            let db = bias.track_op().then(|| bias::row_sums(&dy)).transpose()?;
            return Ok((dx, dw, db));
        }
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
