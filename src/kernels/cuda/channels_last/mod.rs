//! Maps `[n, c, h, w]` whose channels lie side by side in memory, as cuDNN's convolutions of halves want them.
//!
//! A tensor says how it lies by its strides, and every operation of [`crate::kernels`] gives back what lies as its input
//! does, in the order of dimensions that everybody knows. Others see the same maps, slower. The operations here are of
//! [`rows`], contiguous `[n, h, w, c]`, between two views that are noted, so that gradients are taken as of any others.

pub mod conv;
pub mod norm;
pub mod planes;
pub mod tokens;

use super::float::{Float, Part, aligned, by_type, device, grid, int, kernel, view};
use crate::kernels::gradients::record::{Order, apply1, seen};
use candle_core::cuda_backend::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

/// Threads of a block of `transpose`.
const THREADS: u32 = 256;
/// Blocks of a launch of `transpose`, which take several squares each where there are more.
const BLOCKS: usize = 16_384;
/// From maps to rows, and back.
const TO_ROWS: Order = [[0, 2, 3, 1], [0, 3, 1, 2]];
const TO_MAPS: Order = [TO_ROWS[1], TO_ROWS[0]];

/// Whether convolutions of these are taken with the channels last: halves on a GPU.
pub fn wanted(x: &Tensor, w: &Tensor) -> bool {
    super::takes(&[x, w]) && x.dtype() != DType::F32
}

/// Whether `x [n, c, h, w]` on a GPU lies with its channels last, and not plane by plane, which maps of one channel or of
/// one pixel do as well.
pub fn lies(x: &Tensor) -> bool {
    let (&[_, c, h, w], stride) = (x.dims(), x.stride()) else {
        return false;
    };
    let last = [h * w * c, 1, w * c, c];
    let fits = |i: usize| x.dims()[i] == 1 || stride[i] == last[i];
    super::takes(&[x]) && !x.is_contiguous() && (0..4).all(fits)
}

/// `x [n, c, h, w]` that [`lies`] so as it is in memory: `[n, h, w, c]`, contiguous.
///
/// # Errors
/// Where it does not lie so.
pub fn rows(x: &Tensor) -> Result<Tensor> {
    let rows = seen(x, TO_ROWS)?;
    if rows.is_contiguous() {
        return aligned(&rows);
    }
    bail!("maps of strides {:?} are not channels last", x.stride())
}

/// Contiguous `[n, h, w, c]` as the maps `[n, c, h, w]` that it holds.
///
/// # Errors
/// Where it has not four dimensions.
pub fn maps(rows: &Tensor) -> Result<Tensor> {
    seen(rows, TO_MAPS)
}

/// `x [n, c, h, w]` with its channels last, as rows `[n, h, w, c]`; turned around where it lies plane by plane.
///
/// # Errors
/// Those of the device.
pub fn rows_of(x: &Tensor) -> Result<Tensor> {
    if lies(x) {
        return rows(x);
    }
    let (n, c, h, w) = x.dims4()?;
    if !x.track_op() && (c == 1 || h * w == 1) {
        return aligned(&x.contiguous()?.reshape((n, h, w, c))?);
    }
    apply1(&x.contiguous()?, Turned::ToRows)
}

/// `x` plane by plane: what it was, where it lies so, or turned around.
///
/// # Errors
/// Those of the device.
pub fn planes_of(x: &Tensor) -> Result<Tensor> {
    if !lies(x) {
        return x.contiguous();
    }
    apply1(&rows(x)?, Turned::ToPlanes)
}

/// Planes `[n, c, h, w]` to rows `[n, h, w, c]`, or the reverse, both contiguous.
#[derive(Clone, Copy)]
enum Turned {
    ToRows,
    ToPlanes,
}

impl CustomOp1 for Turned {
    fn name(&self) -> &'static str {
        "turned"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's transpose was given a tensor on the CPU")
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, a, b, c) = l.shape().dims4()?;
        let (sizes, shape) = match self {
            Turned::ToRows => ((n, a, b * c), (n, b, c, a)),
            Turned::ToPlanes => ((n, a * b, c), (n, c, a, b)),
        };
        Ok((by_type!(s, transpose((s, l), sizes))?, shape.into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        // What lies as the input does already is only seen otherwise.
        let (back, order) = match self {
            Turned::ToRows => (Turned::ToPlanes, TO_MAPS),
            Turned::ToPlanes => (Turned::ToRows, TO_ROWS),
        };
        let lying = dy.permute(&order[0][..])?;
        if lying.is_contiguous() {
            return Ok(Some(lying));
        }
        dy.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}

/// The transposes of matrices `[n, rows, columns]`.
fn transpose<T: Float>(
    (s, l): Part,
    (n, rows, columns): (usize, usize, usize),
) -> Result<CudaStorage> {
    let (dev, x): (_, CudaView<T>) = (device(s), view(s, l)?);
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<T>(x.len().max(1))? };
    let squares = n * rows.div_ceil(32) * columns.div_ceil(32);
    let (height, width, all) = (int(rows)?, int(columns)?, int(squares)?);
    let (function, stream) = (kernel::<T>(dev, "transpose")?, dev.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&height).arg(&width).arg(&all);
    if squares > 0 {
        // SAFETY: the arguments are those of `transpose`, and the sizes are the tensor's.
        unsafe { call.launch(grid(squares.min(BLOCKS), THREADS)?)? };
    }
    Ok(CudaStorage::wrap_cuda_slice(y, dev.clone()))
}
