//! Attention as one operation with gradients: scores are never stored for more than 32 queries of a head.

use crate::kernels::attention::loops::{Head, Qkv};
use crate::kernels::gradients::cast::{half, widened};
use crate::kernels::gradients::record::apply3;
use crate::kernels::simd::tile::COLS;
use crate::kernels::view::{View, ours, slice, tensor};
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::profile::{Operation, span};
use crate::machine::scratch::{Ptr, unfilled, with_scratch};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Softmax over keys of `q k / sqrt(d)`, times v: `q`, `k`, `v [n * heads, d, l]` → `[n * heads, d, l]`; differentiable in
/// all three, in f32 whatever their type.
///
/// On the CPU a head has the same bits whatever the batch size and the number of threads; elsewhere it is candle's
/// composition.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    if half(q) {
        return widened([q, k, v], |[q, k, v]| attention(q, k, v));
    }
    let _span = span(Operation::AttentionForward);
    if ours(&[q, k, v]) {
        let op = Attention::new(Isa::best());
        return apply3([&q.contiguous()?, &k.contiguous()?, &v.contiguous()?], op);
    }
    #[cfg(feature = "cuda")]
    if crate::kernels::cuda::takes(&[q, k, v]) {
        return crate::kernels::cuda::attention::attention(q, k, v);
    }
    // Both factors are scaled before the product, so that half precision does not overflow.
    let scale = 1.0 / (q.dim(1)? as f64).sqrt().sqrt();
    let scores = (q * scale)?.transpose(1, 2)?.matmul(&(k * scale)?)?;
    let p = candle_nn::ops::softmax(&scores.to_dtype(DType::F32)?, candle_core::D::Minus1)?;
    let p = p.to_dtype(v.dtype())?;
    v.matmul(&p.transpose(1, 2)?.contiguous()?)
}

/// The operation on `(q, k, v)`, each `[heads, d, l]`.
pub struct Attention {
    isa: Isa,
}

impl Attention {
    pub fn new(isa: Isa) -> Attention {
        Attention { isa }
    }

    /// Heads in all, and their sizes.
    fn sizes(&self, q: &Shape, k: &Shape, v: &Shape) -> Result<(usize, Head)> {
        let (heads, d, l) = q.dims3()?;
        if q != k || q != v || d == 0 || l == 0 {
            bail!("attention: q {q:?}, k {k:?} and v {v:?} differ or are empty");
        }
        let head = Head {
            isa: self.isa,
            d,
            l,
        };
        Ok((heads, head))
    }
}

/// Into how many groups the queries of a head are cut, where there are few heads: no bit depends on it.
fn groups(heads: usize, panels: usize) -> usize {
    match rayon::current_num_threads() {
        threads if heads < threads => (2 * threads).div_ceil(heads.max(1)).min(panels),
        _ => 1,
    }
}

/// Head `i` of q, k and v.
fn head_of<'a>(q: &'a [f32], k: &'a [f32], v: &'a [f32], i: usize, size: usize) -> Qkv<'a> {
    let part = |x: &'a [f32]| &x[i * size..][..size];
    Qkv {
        q: part(q),
        k: part(k),
        v: part(v),
    }
}

/// The results of `heads` heads behind each other, `[heads * d * l]`; `of` gives the parts of a head.
pub(super) fn forward_heads<'a>(
    head: Head,
    heads: usize,
    of: impl Fn(usize) -> Qkv<'a> + Sync,
) -> Vec<f32> {
    let (size, panels) = (head.d * head.l, head.l.div_ceil(COLS));
    let mut y = unfilled(heads * size);
    let out = Ptr::new(y.as_mut_ptr());
    let split = groups(heads, panels);
    (0..heads * split)
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| {
            let _flush = Flush::start();
            let (i, part) = (task / split, task % split);
            let panels = panels * part / split..panels * (part + 1) / split;
            with_scratch(head.forward_scratch(), |scratch| {
                // SAFETY: tasks write different heads or different queries.
                unsafe { head.forward(of(i), panels, scratch, out.at(i * size)) };
            });
        });
    y
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
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
        let (heads, head) = self.sizes(l1.shape(), l2.shape(), l3.shape())?;
        let (q, k, v) = (slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        let size = head.d * head.l;
        let y = forward_heads(head, heads, |i| head_of(q, k, v, i, size));
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (heads, head) = self.sizes(q.shape(), k.shape(), v.shape())?;
        let _span = span(Operation::AttentionBackward);
        let (shape, size, dy) = (q.shape(), head.d * head.l, dy.contiguous()?);
        let (q, k, v, dy) = (View::of(q)?, View::of(k)?, View::of(v)?, View::of(&dy)?);
        let (q, k, v, dy): (&[f32], &[f32], &[f32], &[f32]) = (&q, &k, &v, &dy);
        let mut grads = [(); 3].map(|_| unfilled(q.len()));
        let out = grads.each_mut().map(|g| Ptr::new(g.as_mut_ptr()));
        (0..heads).into_par_iter().with_max_len(1).for_each(|i| {
            let _flush = Flush::start();
            with_scratch(head.backward_scratch(), |scratch| {
                let (x, dy) = (head_of(q, k, v, i, size), &dy[i * size..][..size]);
                // SAFETY: tasks write different heads.
                unsafe { head.backward(x, dy, scratch, out.map(|g| g.at(i * size))) };
            });
        });
        let [dq, dk, dv] = grads.map(|g| tensor(g, shape).map(Some));
        Ok((dq?, dk?, dv?))
    }
}
