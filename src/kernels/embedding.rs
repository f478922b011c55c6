//! What embeddings of times and labels are made with, and added to maps by, as operations that are noted: candle's own would
//! stand between noted ones.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::channels_last;
use crate::kernels::gradients::record::{apply1, apply2};
use crate::kernels::view::slice;
use crate::machine::scratch::unfilled;
use candle_core::backend::BackendStorage;
use candle_core::op::{Add, Silu as CandleSilu};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// x / (1 + exp(-x)), in the type of `x`; differentiable. Behind a normalisation it is a part of that.
///
/// # Errors
/// Those of the device.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    apply1(&x.contiguous()?, Silu)
}

/// Rows `[n, d]` of `table` `[rows, d]`, those of `labels` `[n]` u32; differentiable in `table`.
///
/// # Errors
/// Where a label is no row, on the CPU, and those of the device.
pub fn rows(table: &Tensor, labels: &Tensor) -> Result<Tensor> {
    apply2([&table.contiguous()?, &labels.contiguous()?], Rows)
}

/// `x` [n, c, h, w] plus the number `e` [n, c] of each image and channel, both f32 on the CPU or of one type on a GPU;
/// differentiable in both.
///
/// # Errors
/// Where `e` does not fit, and those of the device.
pub fn shifted(x: &Tensor, e: &Tensor) -> Result<Tensor> {
    let e = e.contiguous()?;
    #[cfg(feature = "cuda")]
    if channels_last::lies(x) {
        let last = Shifted { channels: 3 };
        return channels_last::maps(&apply2([&channels_last::rows(x)?, &e], last)?);
    }
    apply2([&x.contiguous()?, &e], Shifted { channels: 1 })
}

/// Of contiguous maps whose channels are this dimension.
struct Shifted {
    channels: usize,
}

impl Shifted {
    /// The numbers as they are added to maps of this shape.
    fn spread(&self, e: &Layout, x: &Shape) -> Result<Layout> {
        let (n, c) = e.shape().dims2()?;
        let mut dims = vec![n, 1, 1, 1];
        dims[self.channels] = c;
        Layout::contiguous_with_offset(dims, e.start_offset()).broadcast_as(x)
    }
}

impl CustomOp2 for Shifted {
    fn name(&self) -> &'static str {
        "shifted"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.spread(l2, l1.shape())?;
        let (x, e) = (slice(s1, l1)?, slice(s2, l2)?);
        let (mut y, plane) = (unfilled(x.len()), (x.len() / e.len().max(1)).max(1));
        y.par_chunks_mut(plane)
            .zip(x.par_chunks(plane).zip(e))
            .for_each(|(y, (x, e))| {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = x + e;
                }
            });
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let spread = self.spread(l2, l1.shape())?;
        Ok((s1.binary_impl::<Add>(s2, l1, &spread)?, l1.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let first = if self.channels == 1 { 2 } else { 1 };
        let de = dy.contiguous()?.sum((first, first + 1))?;
        Ok((Some(dy.clone()), Some(de)))
    }
}

struct Rows;

impl Rows {
    fn shape(table: &Layout, labels: &Layout) -> Result<Shape> {
        let (_, d) = table.shape().dims2()?;
        Ok((labels.shape().dims1()?, d).into())
    }
}

impl CustomOp2 for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok((s1.index_select(s2, l1, l2, 0)?, Rows::shape(l1, l2)?))
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Ok((s1.index_select(s2, l1, l2, 0)?, Rows::shape(l1, l2)?))
    }

    fn bwd(
        &self,
        table: &Tensor,
        labels: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let zeros = Tensor::zeros(table.shape(), table.dtype(), table.device())?;
        Ok((Some(zeros.index_add(labels, &dy.contiguous()?, 0)?), None))
    }
}

struct Silu;

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((
            storage.unary_impl::<CandleSilu>(layout)?,
            layout.shape().clone(),
        ))
    }

    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        Ok((
            storage.unary_impl::<CandleSilu>(layout)?,
            layout.shape().clone(),
        ))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (x, y) = (x.detach(), y.detach());
        let sigmoid = (x.neg()?.exp()? + 1.0)?.recip()?;
        // sigmoid(x)·(1 + x·(1 - sigmoid(x))), with y = x·sigmoid(x).
        let slope = ((sigmoid * (1.0 - &y)?)? + &y)?;
        (dy * slope).map(Some)
    }
}
