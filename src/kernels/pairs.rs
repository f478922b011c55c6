//! Two maps to one: their sum, a map times a mask, the channels of both, all of them noted. In f32 on the CPU they are our
//! own, because candle does them on one thread where it must not start threads of its own (`machine::cores::settle`); halves
//! and GPUs take candle's.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::channels_last::{lies, maps, rows, rows_of};
use crate::kernels::gradients::record::{apply_sum, apply2};
use crate::kernels::view::{View, noted, ours, slice, tensor};
use crate::machine::scratch::unfilled;
use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::op::{Add, Mul};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, InplaceOp2, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

/// Floats that a task takes.
const CHUNK: usize = 1 << 14;

/// `a + b`, of one shape; differentiable in both.
///
/// # Errors
/// Where the shapes differ.
pub fn sum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !fit(a, b) {
        return a + b;
    }
    #[cfg(feature = "cuda")]
    if lies(a) && lies(b) {
        return maps(&apply_sum([&rows(a)?, &rows(b)?], Sum)?);
    }
    apply_sum([&a.contiguous()?, &b.contiguous()?], Sum)
}

/// `x` times `mask`, of one shape; differentiable in `x` alone.
///
/// # Errors
/// Where the shapes differ.
pub fn masked(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    if !fit(x, mask) {
        return x * mask;
    }
    #[cfg(feature = "cuda")]
    if lies(x) {
        return maps(&apply2([&rows(x)?, &rows_of(mask)?], Masked)?);
    }
    apply2([&x.contiguous()?, &mask.contiguous()?], Masked)
}

/// `a [n, c, ...]` and `b [n, d, ...]` → `[n, c + d, ...]`; differentiable in both.
///
/// # Errors
/// Where the shapes differ in more than the channels.
pub fn join(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let fit = a.rank() == b.rank() && a.rank() > 2 && a.dim(0)? == b.dim(0)?;
    if !(fit && noted(&[a, b]) && a.dims()[2..] == b.dims()[2..]) {
        return Tensor::cat(&[a, b], 1);
    }
    #[cfg(feature = "cuda")]
    if lies(a) && lies(b) {
        return maps(&apply2([&rows(a)?, &rows(b)?], Join { dim: 3 })?);
    }
    apply2([&a.contiguous()?, &b.contiguous()?], Join { dim: 1 })
}

/// Adds `b` to `a` in the memory of `a`, both contiguous and of one shape.
///
/// # Errors
/// Where they are not f32 on the CPU.
pub(crate) fn add_into(a: &Tensor, b: &Tensor) -> Result<()> {
    a.inplace_op2(b, &Sum)
}

fn fit(a: &Tensor, b: &Tensor) -> bool {
    a.shape() == b.shape() && noted(&[a, b])
}

/// `f` of each pair.
fn zipped(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut y = unfilled(a.len());
    y.par_chunks_mut(CHUNK)
        .zip(a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)))
        .for_each(|(y, (a, b))| {
            for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                *y = f(*a, *b);
            }
        });
    y
}

pub(crate) struct Sum;
struct Masked;

/// Of contiguous tensors, in this dimension.
struct Join {
    dim: usize,
}

impl CustomOp2 for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = match (s1, s2) {
            (CpuStorage::F32(_), CpuStorage::F32(_)) => {
                CpuStorage::F32(zipped(slice(s1, l1)?, slice(s2, l2)?, |a, b| a + b))
            }
            _ => s1.binary_impl::<Add>(s2, l1, l2)?,
        };
        Ok((y, l1.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Ok((s1.binary_impl::<Add>(s2, l1, l2)?, l1.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(dy.clone()), Some(dy.clone())))
    }
}

impl InplaceOp2 for Sum {
    fn name(&self) -> &'static str {
        "sum in place"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        let (CpuStorage::F32(a), Some((start, end))) = (a, la.contiguous_offsets()) else {
            bail!("sums in place are of contiguous f32")
        };
        let b = slice(b, lb)?;
        if end - start != b.len() {
            bail!(
                "sums in place are of one shape, not {:?} and {:?}",
                la.shape(),
                lb.shape()
            );
        }
        a[start..end]
            .par_chunks_mut(CHUNK)
            .zip(b.par_chunks(CHUNK))
            .for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
        Ok(())
    }
}

impl CustomOp2 for Masked {
    fn name(&self) -> &'static str {
        "masked"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = match (s1, s2) {
            (CpuStorage::F32(_), CpuStorage::F32(_)) => {
                CpuStorage::F32(zipped(slice(s1, l1)?, slice(s2, l2)?, |x, m| x * m))
            }
            _ => s1.binary_impl::<Mul>(s2, l1, l2)?,
        };
        Ok((y, l1.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Ok((s1.binary_impl::<Mul>(s2, l1, l2)?, l1.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        mask: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if !ours(&[dy, mask]) {
            return Ok((Some((dy * mask)?), None));
        }
        let dy = dy.contiguous()?;
        let dx = zipped(&View::of(&dy)?, &View::of(mask)?, |d, m| d * m);
        Ok((Some(tensor(dx, dy.shape())?), None))
    }
}

impl Join {
    /// Floats of either side that lie together.
    fn widths(&self, a: &Shape, b: &Shape) -> (usize, usize) {
        let width = |shape: &Shape| shape.dims()[self.dim..].iter().product::<usize>();
        (width(a), width(b))
    }

    /// The shape of both.
    fn both(&self, a: &Shape, b: &Shape) -> Shape {
        let mut dims = a.dims().to_vec();
        dims[self.dim] += b.dims()[self.dim];
        dims.into()
    }

    /// Both, contiguous, behind each other part by part, by candle's copies.
    fn joined<S>(&self, [(s1, l1), (s2, l2)]: [(&S, &Layout); 2]) -> Result<(S, Shape)>
    where
        S: BackendStorage,
        S::Device: BackendDevice<Storage = S>,
    {
        let shape = self.both(l1.shape(), l2.shape());
        let n = shape.dims()[..self.dim].iter().product();
        let (first, second) = self.widths(l1.shape(), l2.shape());
        // SAFETY: the two copies below fill it.
        let mut y = unsafe { s1.device().alloc_uninit(&shape, s1.dtype())? };
        let (both, start) = (first + second, [l1, l2].map(Layout::start_offset));
        s1.copy2d(&mut y, n, first, first, both, start[0], 0)?;
        s2.copy2d(&mut y, n, second, second, both, start[1], first)?;
        Ok((y, shape))
    }
}

impl CustomOp2 for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if !matches!((s1, s2), (CpuStorage::F32(_), CpuStorage::F32(_))) {
            return self.joined([(s1, l1), (s2, l2)]);
        }
        let (a, b) = (slice(s1, l1)?, slice(s2, l2)?);
        let (first, second) = self.widths(l1.shape(), l2.shape());
        let shape = self.both(l1.shape(), l2.shape());
        let mut y = unfilled(a.len() + b.len());
        if first + second > 0 {
            y.par_chunks_mut(first + second)
                .enumerate()
                .for_each(|(i, y)| {
                    y[..first].copy_from_slice(&a[i * first..][..first]);
                    y[first..].copy_from_slice(&b[i * second..][..second]);
                });
        }
        Ok((CpuStorage::F32(y), shape))
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.joined([(s1, l1), (s2, l2)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if !ours(&[dy]) {
            let part = |of: &Tensor, start| -> Result<Option<Tensor>> {
                let part = of
                    .track_op()
                    .then(|| dy.narrow(self.dim, start, of.dim(self.dim)?)?.contiguous());
                part.transpose()
            };
            return Ok((part(a, 0)?, part(b, a.dim(self.dim)?)?));
        }
        let dy = dy.contiguous()?;
        let view = View::of(&dy)?;
        let (first, second) = self.widths(a.shape(), b.shape());
        let part = |of: &Tensor, start: usize, width: usize| {
            if !of.track_op() {
                return Ok(None);
            }
            let mut part = unfilled(of.elem_count());
            if width > 0 {
                part.par_chunks_mut(width)
                    .enumerate()
                    .for_each(|(i, part)| {
                        part.copy_from_slice(&view[i * (first + second) + start..][..width]);
                    });
            }
            tensor(part, of.shape()).map(Some)
        };
        Ok((part(a, 0, first)?, part(b, first, second)?))
    }
}
