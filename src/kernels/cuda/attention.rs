//! Attention with its gradients out of cuBLAS's products and one softmax: four products back, and no copy of the scores.

use super::float::with;
use super::softmax::{softmax, softmax_grad};
use crate::machine::profile::{Operation, span};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// See `kernels::attention::attention`: `q`, `k`, `v [heads, d, l]`, all of one float; scores have their type, and the
/// softmax's sums are in f32.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    // Both factors are scaled before the product, so that half precision does not overflow.
    let scale = 1.0 / (q.dim(1)? as f64).sqrt().sqrt();
    let scaled = |t: &Tensor| (t.detach().contiguous()? * scale)?.contiguous();
    let (qs, ks, values) = (scaled(q)?, scaled(k)?, v.detach().contiguous()?);
    let p = softmax(&qs.transpose(1, 2)?.matmul(&ks)?)?;
    let y = values.matmul(&p.transpose(1, 2)?)?;
    if ![q, k, v].iter().any(|t| t.track_op()) {
        return Ok(y);
    }
    q.contiguous()?.apply_op3(
        &k.contiguous()?,
        &v.contiguous()?,
        Attention {
            scale,
            qs,
            ks,
            p,
            y,
        },
    )
}

/// The result that was calculated already, so that the graph holds one operation and what its gradients need.
struct Attention {
    scale: f64,
    /// [heads, d, l], scaled
    qs: Tensor,
    ks: Tensor,
    /// [heads, queries, keys]
    p: Tensor,
    y: Tensor,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's attention was given tensors on the CPU")
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let y = with([&self.y], |[(storage, layout)]| storage.try_clone(layout))?;
        Ok((y, self.y.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        v: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let _span = span(Operation::AttentionBackward);
        let (v, dy) = (v.detach(), dy.contiguous()?);
        let dv = dy.matmul(&self.p)?;
        let ds = softmax_grad(&self.p, &dy.transpose(1, 2)?.matmul(&v)?)?;
        let dq = (self.ks.matmul(&ds.transpose(1, 2)?)? * self.scale)?;
        let dk = (self.qs.matmul(&ds)? * self.scale)?;
        Ok((Some(dq), Some(dk), Some(dv)))
    }
}
