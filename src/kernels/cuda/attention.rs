//! Attention with its gradients out of cuBLAS's products and one softmax: four products back, and no copy of the scores.

use super::float::{Float, aligned, by_type, device, int, kernel, loops, tensor, view, with};
use super::softmax::{softmax, softmax_grad};
use crate::kernels::gradients::record::apply3;
use crate::machine::profile::{Operation, span};
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// See `kernels::attention::attention`: `q`, `k`, `v [heads, d, l]`, all of one float; scores have their type, and the
/// softmax's sums are in f32.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let done = Done::of(q, k, v)?;
    if ![q, k, v].iter().any(|t| t.track_op()) {
        return Ok(done.y);
    }
    apply3(
        [&q.contiguous()?, &k.contiguous()?, &v.contiguous()?],
        Attention(done),
    )
}

/// An attention that was calculated already, with what its gradients need.
pub struct Done {
    scale: f64,
    /// [heads, d, l], scaled
    qs: Tensor,
    ks: Tensor,
    /// [heads, d, l]
    v: Tensor,
    /// [heads, queries, keys]
    p: Tensor,
    /// The result, [heads, d, l].
    pub y: Tensor,
}

impl Done {
    /// `q`, `k`, `v [heads, d, l]`, all of one float; part of no graph.
    ///
    /// # Errors
    /// Those of the device, and shapes that do not fit.
    pub fn of(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Done> {
        // Both factors are scaled before the product, so that half precision does not overflow.
        let scale = 1.0 / (q.dim(1)? as f64).sqrt().sqrt();
        let scaled = |t: &Tensor| (t.detach().contiguous()? * scale)?.contiguous();
        Done::scaled([scaled(q)?, scaled(k)?, v.detach().contiguous()?], scale)
    }

    /// Of `qkv [n, 3 * heads * d, ...]`, whose l positions are `size / d`: the three in one launch.
    ///
    /// # Errors
    /// As [`Done::of`].
    pub fn of_qkv(qkv: &Tensor, parts: Parts) -> Result<Done> {
        let qkv = aligned(&qkv.detach())?;
        let scale = 1.0 / (parts.d as f64).sqrt().sqrt();
        let all = with([&qkv], |[(s, l)]| {
            by_type!(s, split((s, l), parts, scale as f32))
        })?;
        let part = |i: usize| all.get(i);
        Done::scaled([part(0)?, part(1)?, part(2)?], scale)
    }

    /// Queries and keys are scaled already; all three are contiguous.
    fn scaled([qs, ks, v]: [Tensor; 3], scale: f64) -> Result<Done> {
        let p = softmax(&qs.transpose(1, 2)?.matmul(&ks)?)?;
        let y = v.matmul(&p.transpose(1, 2)?)?;
        Ok(Done {
            scale,
            qs,
            ks,
            v,
            p,
            y,
        })
    }

    /// Gradients of q, k and v, given that of the result.
    ///
    /// # Errors
    /// As [`Done::of`].
    pub fn backward(&self, dy: &Tensor) -> Result<[Tensor; 3]> {
        let dy = dy.contiguous()?;
        let dv = dy.matmul(&self.p)?;
        let ds = softmax_grad(&self.p, &dy.transpose(1, 2)?.matmul(&self.v)?)?;
        let dq = (self.ks.matmul(&ds.transpose(1, 2)?)? * self.scale)?;
        let dk = (self.qs.matmul(&ds)? * self.scale)?;
        Ok([dq, dk, dv])
    }

    /// The memory of a copy of the result, for an operation of the graph.
    ///
    /// # Errors
    /// Those of the device.
    pub fn storage(&self) -> Result<CudaStorage> {
        with([&self.y], |[(storage, layout)]| storage.try_clone(layout))
    }
}

/// How queries, keys and values lie in one tensor.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub heads: usize,
    /// Channels of a head.
    pub d: usize,
    /// Positions.
    pub l: usize,
    /// All queries, then all keys, then all values; else those of the first head, then those of the second.
    pub by_part: bool,
}

/// `[3, n * heads, d, l]`.
fn split<T: Float>((s, l): (&CudaStorage, &Layout), parts: Parts, scale: f32) -> Result<Tensor> {
    let (dev, x): (_, CudaView<T>) = (device(s), view(s, l)?);
    let Parts { heads, d, l, .. } = parts;
    let (size, count) = (d * l, x.len());
    if size == 0 || heads == 0 || !count.is_multiple_of(3 * heads * size) {
        bail!("attention: {count} values in {parts:?}");
    }
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(count)? };
    let (function, stream) = (kernel::<T>(dev, "split_qkv")?, dev.cuda_stream());
    let (of, each, total) = (int(heads)?, int(size)?, int(count)?);
    let by_part = i32::from(parts.by_part);
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&of).arg(&each);
    call.arg(&by_part).arg(&total).arg(&scale);
    // SAFETY: the arguments are those of `split_qkv`, and the sizes were checked.
    unsafe { call.launch(loops(count)?)? };
    Ok(tensor(y, &Shape::from((3, count / 3 / size, d, l)), dev))
}

struct Attention(Done);

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
        Ok((self.0.storage()?, self.0.y.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let _span = span(Operation::AttentionBackward);
        let [dq, dk, dv] = self.0.backward(dy)?;
        Ok((Some(dq), Some(dk), Some(dv)))
    }
}
