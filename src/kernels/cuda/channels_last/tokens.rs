//! Attention of tokens whose channels lie last, with its gradients: nothing is transposed, products read rows.

use super::{maps, rows};
use crate::kernels::cuda::attention::Parts;
use crate::kernels::cuda::float::{
    Float, Part, by_type, device, int, kernel, loops, tensor, view, with,
};
use crate::kernels::cuda::softmax::{softmax, softmax_grad};
use crate::kernels::gradients::record::apply1;
use crate::machine::profile::{Operation, span};
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// See `kernels::attention::qkv::qkv_attention`: of `qkv [n, 3 * heads * d, h, w]` that lies so → `[n, heads * d, h, w]` that
/// does.
///
/// # Errors
/// Those of the device, and sizes that do not fit.
pub fn attention(qkv: &Tensor, parts: Parts) -> Result<Tensor> {
    let qkv = rows(qkv)?;
    let done = Tokens::of(&qkv.detach(), parts)?;
    if !qkv.track_op() {
        return maps(&done.y);
    }
    maps(&apply1(&qkv, done)?)
}

/// An attention that was calculated already, with what its gradients need.
struct Tokens {
    parts: Parts,
    scale: f64,
    /// [3, n * heads, l, d]: queries and keys, scaled, and values
    qkv: Tensor,
    /// [n * heads, queries, keys]
    p: Tensor,
    /// The result, [n, h, w, heads * d].
    y: Tensor,
}

impl Tokens {
    /// Of rows `[n, h, w, 3 * heads * d]`, part of no graph.
    fn of(rows: &Tensor, parts: Parts) -> Result<Tokens> {
        let (n, h, w, _) = rows.dims4()?;
        // Both factors are scaled before the product, so that half precision does not overflow.
        let scale = 1.0 / (parts.d as f64).sqrt().sqrt();
        let qkv = with([rows], |[(s, l)]| {
            by_type!(s, split((s, l), parts, scale as f32))
        })?;
        let (q, k, v) = (qkv.get(0)?, qkv.get(1)?, qkv.get(2)?);
        let p = softmax(&q.matmul(&k.transpose(1, 2)?)?)?;
        let y = with([&p.matmul(&v)?], |[(s, l)]| {
            by_type!(
                s,
                merge((s, l), parts, (n, h, w, parts.heads * parts.d).into())
            )
        })?;
        Ok(Tokens {
            parts,
            scale,
            qkv,
            p,
            y,
        })
    }
}

impl CustomOp1 for Tokens {
    fn name(&self) -> &'static str {
        "attention-last"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's attention was given a tensor on the CPU")
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        let y = with([&self.y], |[(s, l)]| s.try_clone(l))?;
        Ok((y, self.y.shape().clone()))
    }

    fn bwd(&self, rows: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::AttentionBackward);
        let Parts { heads, d, l, .. } = self.parts;
        let n = rows.dim(0)?;
        let (qs, ks, v) = (self.qkv.get(0)?, self.qkv.get(1)?, self.qkv.get(2)?);
        let dy = dy
            .contiguous()?
            .reshape((n, l, heads, d))?
            .transpose(1, 2)?;
        let dy = dy.contiguous()?.reshape((n * heads, l, d))?;
        let dv = self.p.transpose(1, 2)?.matmul(&dy)?;
        let ds = softmax_grad(&self.p, &dy.matmul(&v.transpose(1, 2)?)?)?;
        let dq = (ds.matmul(&ks)? * self.scale)?;
        let dk = (ds.transpose(1, 2)?.matmul(&qs)? * self.scale)?;
        // Behind each other they are [part, image, head, position, channel].
        let all = Tensor::cat(&[dq, dk, dv], 0)?.reshape((3, n, heads, l, d))?;
        let order = if self.parts.by_part {
            [1, 3, 0, 2, 4]
        } else {
            [1, 3, 2, 0, 4]
        };
        let dx = all.permute(&order[..])?.contiguous()?;
        dx.reshape(rows.shape()).map(Some)
    }
}

/// `[3, n * heads, l, d]`, queries and keys scaled: both factors, before the product, so that half precision does not overflow.
fn split<T: Float>((s, l): Part, parts: Parts, scale: f32) -> Result<Tensor> {
    let (dev, x): (_, CudaView<T>) = (device(s), view(s, l)?);
    let Parts { heads, d, l, .. } = parts;
    let (size, count) = (d * l, x.len());
    if size == 0 || heads == 0 || !count.is_multiple_of(3 * heads * size) {
        bail!("attention: {count} values in {parts:?}");
    }
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(count)? };
    let (function, stream) = (kernel::<T>(dev, "split_tokens")?, dev.cuda_stream());
    let (of, each, long, total) = (int(heads)?, int(d)?, int(l)?, int(count)?);
    let by_part = i32::from(parts.by_part);
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&of).arg(&each).arg(&long);
    call.arg(&by_part).arg(&total).arg(&scale);
    // SAFETY: the arguments are those of `split_tokens`, and the sizes were checked.
    unsafe { call.launch(loops(count)?)? };
    Ok(tensor(y, &Shape::from((3, count / 3 / size, l, d)), dev))
}

/// Heads `[n * heads, l, d]` as rows of `shape`, `[n, h, w, heads * d]`.
fn merge<T: Float>((s, l): Part, parts: Parts, shape: Shape) -> Result<Tensor> {
    let (dev, x): (_, CudaView<T>) = (device(s), view(s, l)?);
    let count = x.len();
    if shape.elem_count() != count {
        bail!("attention: {count} values in {shape:?}");
    }
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(count)? };
    let (function, stream) = (kernel::<T>(dev, "merge_tokens")?, dev.cuda_stream());
    let (of, each, long, total) = (int(parts.heads)?, int(parts.d)?, int(parts.l)?, int(count)?);
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&of).arg(&each).arg(&long);
    call.arg(&total);
    // SAFETY: the arguments are those of `merge_tokens`, and the sizes were checked.
    unsafe { call.launch(loops(count)?)? };
    Ok(tensor(y, &shape, dev))
}
