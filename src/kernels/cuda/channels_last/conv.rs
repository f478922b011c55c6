//! Convolutions of halves with the channels last, with their gradients: by cuDNN, and those of one pixel as plain products.

use super::{maps, rows_of};
use crate::kernels::cuda::conv::{Conv2d, convolved, input_grad, weight_grad};
use crate::kernels::cuda::cudnn::{Format, Problem};
use crate::kernels::cuda::float::{
    Float, NONE, Part, aligned, by_type, device, int, kernel, loops, owned, view, with,
};
use crate::kernels::gradients::record::{apply2, apply3};
use crate::kernels::pairs::sum;
use crate::machine::profile::{Operation, span};
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail,
};

/// `x [n, ci, h, w]` convolved with `w [co, ci, kh, kw]`, plus `bias [co]`, plus `more [n, co, oh, ow]`, each where given →
/// `[n, co, oh, ow]` with its channels last; all of one half; differentiable in all four. `w` is turned around where it does
/// not lie so, which whoever calls often does once.
///
/// # Errors
/// Those of cuDNN and of the device, and sizes that do not fit.
pub fn conv2d(
    op: Conv2d,
    (x, w): (&Tensor, &Tensor),
    bias: Option<&Tensor>,
    more: Option<&Tensor>,
) -> Result<Tensor> {
    if op.relu {
        bail!("conv2d: nothing is cut off with the channels last");
    }
    let op = Last(op);
    let (x, w) = (rows_of(x)?, rows_of(w)?);
    let all = [Some(&x), Some(&w), bias, more];
    let graph = all.into_iter().flatten().any(Tensor::track_op);
    match (bias, more) {
        (Some(bias), Some(more)) if !graph => {
            let (bias, more) = (aligned(bias)?, rows_of(more)?);
            let y = with([&x, &w, &bias, &more], |[x, w, bias, more]| {
                let (y, shape) = op.forward(x, w, Some(bias), Some(more))?;
                Ok(owned(y, shape))
            })?;
            maps(&y)
        }
        (_, Some(more)) => sum(more, &op.apply(&x, &w, bias)?),
        (_, None) => op.apply(&x, &w, bias),
    }
}

/// The operation on rows: `x [n, h, w, ci]`, `w [co, kh, kw, ci]`, `bias [co]` → `[n, oh, ow, co]`.
struct Last(Conv2d);

impl Last {
    fn apply(self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let y = match bias {
            Some(bias) => apply3([x, w, &aligned(bias)?], self)?,
            None => apply2([x, w], self)?,
        };
        maps(&y)
    }

    fn problem(&self, x: &Shape, w: &Shape) -> Result<Problem> {
        let ((n, h, wd, ci), (co, kh, kw, cin)) = (x.dims4()?, w.dims4()?);
        let planes = [[n, ci, h, wd], [co, cin, kh, kw]].map(|dims| Shape::from(dims.to_vec()));
        Ok(Problem {
            format: Format::CUDNN_TENSOR_NHWC,
            ..self.0.problem(&planes[0], &planes[1])?
        })
    }

    fn forward(
        &self,
        x: Part,
        w: Part,
        bias: Option<Part>,
        more: Option<Part>,
    ) -> Result<(CudaStorage, Shape)> {
        let p = self.problem(x.1.shape(), w.1.shape())?;
        let [n, co, oh, ow] = p.y.map(|d| d as usize);
        let y = by_type!(x.0, forward(x, w, bias, more, &p))?;
        Ok((y, (n, oh, ow, co).into()))
    }

    fn backward(
        &self,
        x: &Tensor,
        w: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let p = self.problem(x.shape(), w.shape())?;
        let wanted = |of: &Tensor, gradient: &dyn Fn() -> Result<Tensor>| {
            let wanted = of.track_op().then(gradient);
            wanted.transpose()
        };
        if is_product(&p) {
            let flat = |t: &Tensor, width: usize| t.reshape((t.elem_count() / width, width));
            let (ci, co) = (p.w[1] as usize, p.w[0] as usize);
            let (rows, weight) = (flat(&dy.detach(), co)?, flat(&w.detach(), ci)?);
            let dx = wanted(x, &|| rows.matmul(&weight)?.reshape(x.shape()))?;
            let dw = wanted(w, &|| {
                rows.t()?
                    .matmul(&flat(&x.detach(), ci)?)?
                    .reshape(w.shape())
            })?;
            return Ok((dx, dw));
        }
        let dx = wanted(x, &|| {
            with([w, dy], |[w, dy]| {
                by_type!(w.0, input_grad(w, dy, &p, x.shape()))
            })
        })?;
        let dw = wanted(w, &|| {
            with([x, dy], |[x, dy]| {
                by_type!(x.0, weight_grad(x, dy, &p, w.shape()))
            })
        })?;
        Ok((dx, dw))
    }
}

/// Whether each pixel is taken by itself, one to one.
fn is_product(p: &Problem) -> bool {
    p.w[2..] == [1, 1] && p.pad == [0, 0] && p.stride == 1
}

fn forward<T: Float>(
    x: Part,
    w: Part,
    bias: Option<Part>,
    more: Option<Part>,
    p: &Problem,
) -> Result<CudaStorage> {
    let dev = device(x.0);
    let mut y = if is_product(p) {
        let (ci, co) = (p.w[1] as usize, p.w[0] as usize);
        let rows = x.1.shape().elem_count() / ci;
        let lies = |dims: (usize, usize), strides: [usize; 2], l: &Layout| {
            Layout::new(dims.into(), strides.to_vec(), l.start_offset())
        };
        let (a, b) = (
            lies((rows, ci), [ci, 1], x.1),
            // The transpose of [co, ci].
            lies((ci, co), [1, ci], w.1),
        );
        x.0.matmul(w.0, (1, rows, co, ci), &a, &b)?
    } else {
        let y = convolved(&view::<T>(x.0, x.1)?, &view(w.0, w.1)?, p, dev)?;
        CudaStorage::wrap_cuda_slice(y, dev.clone())
    };
    if let Some(bias) = bias {
        let room = y.as_cuda_slice_mut::<T>()?;
        add(room, bias, more, p.y[1] as usize, dev)?;
    }
    Ok(y)
}

/// Adds a bias `[c]` to each row of `y`, and `more` of its sizes where there is one.
fn add<T: Float>(
    y: &mut CudaSlice<T>,
    bias: Part,
    more: Option<Part>,
    channels: usize,
    dev: &CudaDevice,
) -> Result<()> {
    let bias: CudaView<T> = view(bias.0, bias.1)?;
    let more: Option<CudaView<T>> = more.map(|(s, l)| view(s, l)).transpose()?;
    if bias.len() != channels || more.as_ref().is_some_and(|more| more.len() != y.len()) {
        bail!(
            "a bias of {} for {channels} channels, or another sum than of {} values",
            bias.len(),
            y.len()
        );
    }
    let (width, count) = (int(channels)?, int(y.len())?);
    let (function, stream) = (kernel::<T>(dev, "add_last")?, dev.cuda_stream());
    let size = loops(y.len())?;
    let mut call = stream.launch_builder(&function);
    call.arg(y).arg(&bias);
    match &more {
        Some(more) => call.arg(more),
        None => call.arg(&NONE),
    };
    call.arg(&width).arg(&count);
    // SAFETY: the arguments are those of `add_last`, and the sizes were checked.
    unsafe { call.launch(size)? };
    Ok(())
}

impl CustomOp2 for Last {
    fn name(&self) -> &'static str {
        "conv2d-last"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("the GPU's convolution was given tensors on the CPU")
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.forward((s1, l1), (s2, l2), None, None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _span = span(Operation::ConvolutionBackward);
        self.backward(x, w, &dy.contiguous()?)
    }
}

impl CustomOp3 for Last {
    fn name(&self) -> &'static str {
        "conv2d-last"
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
        bail!("the GPU's convolution was given tensors on the CPU")
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
        self.forward((s1, l1), (s2, l2), Some((s3, l3)), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let _span = span(Operation::ConvolutionBackward);
        let dy = dy.contiguous()?;
        let (dx, dw) = self.backward(x, w, &dy)?;
        let db = if bias.track_op() {
            // Sums over all rows, as a product with ones: in f32, rounded once.
            let channels = bias.elem_count();
            let rows = dy
                .detach()
                .reshape((dy.elem_count() / channels.max(1), channels))?;
            let ones = Tensor::ones((1, rows.dim(0)?), dy.dtype(), dy.device())?;
            Some(ones.matmul(&rows)?.reshape(bias.shape())?)
        } else {
            None
        };
        Ok((dx, dw, db))
    }
}
