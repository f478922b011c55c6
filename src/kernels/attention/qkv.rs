//! Attention of queries, keys and values that lie in one tensor: read where they are, and their gradients written there.

use crate::kernels::attention::loops::{Head, Qkv};
use crate::kernels::attention::scaled_dot::{attention, forward_heads};
#[cfg(feature = "cuda")]
use crate::kernels::cuda::attention::{Done, Parts};
#[cfg(feature = "cuda")]
use crate::kernels::cuda::channels_last;
use crate::kernels::gradients::cast::{half, widened};
use crate::kernels::gradients::record::apply1;
use crate::kernels::view::{View, ours, slice, tensor};
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::profile::{Operation, span};
use crate::machine::scratch::{Ptr, unfilled, with_scratch};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// How the channels of the tensor are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Query, key and value of the first head, then of the second.
    ByHead,
    /// The queries of all heads, then the keys, then the values.
    ByPart,
}

/// [`attention`] in `heads` heads of `qkv [n, 3c, ...]` over all positions → `[n, c, ...]`; differentiable.
///
/// # Errors
/// Where `3 * heads` does not divide the channels.
pub fn qkv_attention(qkv: &Tensor, heads: usize, order: Order) -> Result<Tensor> {
    if ours(&[qkv]) {
        let _span = span(Operation::AttentionForward);
        let isa = Isa::best();
        return apply1(&qkv.contiguous()?, QkvAttention { isa, heads, order });
    }
    if half(qkv) {
        return widened([qkv], |[qkv]| qkv_attention(qkv, heads, order));
    }
    let sizes = Sizes::new(qkv.shape(), heads, Isa::best())?;
    #[cfg(feature = "cuda")]
    if crate::kernels::cuda::takes(&[qkv]) {
        let _span = span(Operation::AttentionForward);
        let parts = Parts {
            heads,
            d: sizes.head.d,
            l: sizes.head.l,
            by_part: order == Order::ByPart,
        };
        if channels_last::lies(qkv) {
            return channels_last::tokens::attention(qkv, parts);
        }
        let done = Done::of_qkv(qkv, parts)?;
        if !qkv.track_op() {
            return done.y.reshape(sizes.out);
        }
        let op = OnGpu {
            done,
            heads,
            order,
            out: sizes.out,
        };
        return apply1(&qkv.contiguous()?, op);
    }
    let part = |i: usize| part(qkv, heads, order, i);
    attention(&part(0)?, &part(1)?, &part(2)?)?.reshape(sizes.out)
}

/// n, the channels d of a head and the positions l of `qkv [n, 3 * heads * d, ...]`.
pub(super) fn sizes(qkv: &Tensor, heads: usize) -> Result<(usize, usize, usize)> {
    let Sizes { n, head, .. } = Sizes::new(qkv.shape(), heads, Isa::best())?;
    Ok((n, head.d, head.l))
}

/// Queries (0), keys (1) or values (2) of all heads: `[n * heads, d, l]`.
pub(super) fn part(qkv: &Tensor, heads: usize, order: Order, i: usize) -> Result<Tensor> {
    let (n, d, l) = sizes(qkv, heads)?;
    let c = heads * d;
    match order {
        Order::ByHead => qkv
            .reshape((n * heads, 3 * d, l))?
            .narrow(1, i * d, d)?
            .contiguous(),
        Order::ByPart => qkv
            .reshape((n, 3 * c, l))?
            .narrow(1, i * c, c)?
            .contiguous()?
            .reshape((n * heads, d, l)),
    }
}

/// The reverse of [`part`]: all three, each `[n * heads, d, l]`, as they lie in `[n, 3 * heads * d, ...]` of this shape.
#[cfg_attr(not(feature = "cuda"), cfg(test))]
fn whole(parts: &[Tensor; 3], heads: usize, order: Order, shape: &Shape) -> Result<Tensor> {
    let (all, d, l) = parts[0].dims3()?;
    let whole = match order {
        Order::ByHead => Tensor::cat(parts, 1)?,
        Order::ByPart => {
            let by_image = |part: &Tensor| part.reshape((all / heads, heads * d, l));
            let parts = parts.iter().map(by_image).collect::<Result<Vec<_>>>()?;
            Tensor::cat(&parts, 1)?
        }
    };
    whole.reshape(shape)
}

/// The operation on a GPU, calculated before it becomes part of the graph.
#[cfg(feature = "cuda")]
struct OnGpu {
    done: Done,
    heads: usize,
    order: Order,
    out: Shape,
}

#[cfg(feature = "cuda")]
impl CustomOp1 for OnGpu {
    fn name(&self) -> &'static str {
        "qkv-attention"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's attention was given a tensor on the CPU")
    }

    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        Ok((self.done.storage()?, self.out.clone()))
    }

    fn bwd(&self, qkv: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::AttentionBackward);
        let parts = self.done.backward(&dy.reshape(self.done.y.shape())?)?;
        whole(&parts, self.heads, self.order, qkv.shape()).map(Some)
    }
}

struct QkvAttention {
    isa: Isa,
    heads: usize,
    order: Order,
}

struct Sizes {
    /// Images, and the result's shape.
    n: usize,
    out: Shape,
    head: Head,
}

impl Sizes {
    fn new(qkv: &Shape, heads: usize, isa: Isa) -> Result<Sizes> {
        let [n, width, rest @ ..] = qkv.dims() else {
            bail!("attention: {qkv:?} is not [n, 3c, ...]");
        };
        let l = rest.iter().product::<usize>();
        if heads == 0 || *width == 0 || l == 0 || !width.is_multiple_of(3 * heads) {
            bail!("attention: {qkv:?} is not of 3 parts in {heads} heads");
        }
        let head = Head {
            isa,
            d: width / 3 / heads,
            l,
        };
        let out = [&[*n, width / 3], rest].concat().into();
        Ok(Sizes { n: *n, out, head })
    }
}

impl QkvAttention {
    /// Where the query, the key and the value of head `i`, counted over all images, begin.
    fn places(&self, head: Head, i: usize) -> [usize; 3] {
        let (image, h) = (i / self.heads, i % self.heads);
        let first = image * 3 * self.heads;
        let blocks = match self.order {
            Order::ByHead => [0, 1, 2].map(|part| first + 3 * h + part),
            Order::ByPart => [0, 1, 2].map(|part| first + part * self.heads + h),
        };
        blocks.map(|block| block * head.d * head.l)
    }

    fn of<'a>(&self, head: Head, qkv: &'a [f32], i: usize) -> Qkv<'a> {
        let [q, k, v] = self.places(head, i).map(|at| &qkv[at..][..head.d * head.l]);
        Qkv { q, k, v }
    }
}

impl CustomOp1 for QkvAttention {
    fn name(&self) -> &'static str {
        "qkv-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Sizes { n, out, head } = Sizes::new(layout.shape(), self.heads, self.isa)?;
        let qkv = slice(storage, layout)?;
        let y = forward_heads(head, n * self.heads, |i| self.of(head, qkv, i));
        Ok((CpuStorage::F32(y), out))
    }

    fn bwd(&self, qkv: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let _span = span(Operation::AttentionBackward);
        let Sizes { n, head, .. } = Sizes::new(qkv.shape(), self.heads, self.isa)?;
        let (size, dy) = (head.d * head.l, dy.contiguous()?);
        let (view, dy) = (View::of(qkv)?, View::of(&dy)?);
        let (data, dy): (&[f32], &[f32]) = (&view, &dy);
        let mut grads = unfilled(data.len());
        let written = Ptr::new(grads.as_mut_ptr());
        (0..n * self.heads)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|i| {
                let _flush = Flush::start();
                with_scratch(head.backward_scratch(), |scratch| {
                    let (x, dy) = (self.of(head, data, i), &dy[i * size..][..size]);
                    // SAFETY: tasks write the three parts of different heads.
                    unsafe {
                        let places = self.places(head, i).map(|at| written.at(at));
                        head.backward(x, dy, scratch, places);
                    }
                });
            });
        tensor(grads, qkv.shape()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn parts_are_put_back_where_they_were() -> Result<()> {
        let (n, heads, d, l) = (2, 3, 4, 5);
        let shape = Shape::from((n, 3 * heads * d, l));
        let count = shape.elem_count() as u32;
        let qkv = Tensor::arange(0u32, count, &Device::Cpu)?.reshape(&shape)?;
        for order in [Order::ByHead, Order::ByPart] {
            let parts = [0, 1, 2].map(|i| part(&qkv, heads, order, i));
            let [q, k, v] = parts;
            let again = whole(&[q?, k?, v?], heads, order, &shape)?;
            assert_eq!(again.to_vec3::<u32>()?, qkv.to_vec3::<u32>()?);
        }
        Ok(())
    }
}
