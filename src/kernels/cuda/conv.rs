//! The convolution and its gradients by cuDNN; its choice of algorithm is asked for once a shape.

use super::bias::{After, add, sums};
use super::channels_last::planes_of;
use super::cudnn::{Described, Format, Problem, chosen, library};
use super::float::{Float, Part, aligned, by_type, device, int, owned, tensor, view, with};
use crate::kernels::gradients::record::{apply2, apply3};
use crate::machine::profile::{Operation, span};
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as DataAlgo, cudnnConvolutionBwdFilterAlgo_t as FilterAlgo,
};
use candle_core::cuda_backend::cudarc::cudnn::{ConvBackwardData, ConvBackwardFilter, ConvForward};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail,
};

/// A convolution's stride, its padding of rows and columns, and whether negative results are cut off.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    pub stride: usize,
    pub padding: (usize, usize),
    /// forwards only
    pub relu: bool,
    /// f32 inputs may be rounded to TF32
    pub tf32: bool,
}

impl Conv2d {
    /// `x [n, ci, h, w]`, `w [co, ci, kh, kw]`, `bias [co]`, all of one type → `[n, co, oh, ow]` of that type;
    /// differentiable in all three where `relu` is not asked for.
    pub fn apply(self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (x, w) = (planes_of(x)?, planes_of(w)?);
        match bias {
            Some(b) => apply3([&x, &w, &b.contiguous()?], self),
            None => apply2([&x, &w], self),
        }
    }

    /// The same plus `more [n, co, oh, ow]`, in one pass over the result; all plane by plane, and part of no graph.
    pub fn apply_plus(self, more: &Tensor, x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
        let problem = self.problem(x.shape(), w.shape())?;
        let shape = Shape::from(problem.y.map(|d| d as usize).to_vec());
        if more.shape() != &shape || self.relu {
            bail!("conv2d: {:?} cannot be added to {shape:?}", more.shape());
        }
        let all = [x, w, b, more].map(|t| aligned(&planes_of(t)?));
        let [x, w, b, more] = all;
        let y = with([&x?, &w?, &b?, &more?], |[x, w, b, more]| {
            let both = (Some(b), Some(more));
            by_type!(x.0, forward(x, w, both, &problem, After::Nothing))
        })?;
        Ok(owned(y, shape))
    }

    /// The sizes for tensors that lie plane by plane.
    pub(super) fn problem(&self, x: &Shape, w: &Shape) -> Result<Problem> {
        let ((n, ci, h, wd), (cout, cin, kh, kw)) = (x.dims4()?, w.dims4()?);
        let (pad_y, pad_x) = self.padding;
        if ci != cin || self.stride == 0 || h + 2 * pad_y < kh || wd + 2 * pad_x < kw {
            bail!("conv2d: input {x:?} does not fit weight {w:?} with {self:?}");
        }
        let out = |size: usize, pad: usize, k: usize| (size + 2 * pad - k) / self.stride + 1;
        let (oh, ow) = (out(h, pad_y, kh), out(wd, pad_x, kw));
        let four = |a, b, c, d| -> Result<[i32; 4]> { Ok([int(a)?, int(b)?, int(c)?, int(d)?]) };
        Ok(Problem {
            x: four(n, cin, h, wd)?,
            w: four(cout, cin, kh, kw)?,
            y: four(n, cout, oh, ow)?,
            pad: [int(pad_y)?, int(pad_x)?],
            stride: int(self.stride)?,
            tf32: self.tf32,
            format: Format::CUDNN_TENSOR_NCHW,
        })
    }

    fn forward(
        &self,
        (s1, l1): (&CudaStorage, &Layout),
        (s2, l2): (&CudaStorage, &Layout),
        bias: Option<(&CudaStorage, &Layout)>,
    ) -> Result<(CudaStorage, Shape)> {
        let problem = self.problem(l1.shape(), l2.shape())?;
        let after = if self.relu {
            After::Relu
        } else {
            After::Nothing
        };
        let y = by_type!(
            s1,
            forward((s1, l1), (s2, l2), (bias, None), &problem, after)
        )?;
        Ok((y, Shape::from(problem.y.map(|d| d as usize).to_vec())))
    }

    fn backward(
        &self,
        x: &Tensor,
        w: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if self.relu {
            bail!("conv2d: with ReLU it has no gradient");
        }
        let problem = self.problem(x.shape(), w.shape())?;
        let dx = if x.track_op() {
            Some(with([w, dy], |[w, dy]| {
                by_type!(w.0, input_grad(w, dy, &problem, x.shape()))
            })?)
        } else {
            None
        };
        let dw = if w.track_op() {
            Some(with([x, dy], |[x, dy]| {
                by_type!(x.0, weight_grad(x, dy, &problem, w.shape()))
            })?)
        } else {
            None
        };
        Ok((dx, dw))
    }
}

/// Uninitialised room for `count` elements, at least one.
fn room<T: Float>(device: &CudaDevice, count: usize) -> Result<CudaSlice<T>> {
    // SAFETY: the caller has a kernel write every element.
    unsafe { device.alloc::<T>(count.max(1)) }
}

fn count(shape: &[i32; 4]) -> usize {
    shape.iter().map(|d| *d as usize).product()
}

fn forward<T: Float>(
    (s1, l1): (&CudaStorage, &Layout),
    (s2, l2): (&CudaStorage, &Layout),
    (bias, more): (Option<Part>, Option<Part>),
    p: &Problem,
    after: After,
) -> Result<CudaStorage> {
    let dev = device(s1);
    let mut y = convolved(&view::<T>(s1, l1)?, &view(s2, l2)?, p, dev)?;
    if let Some((s3, l3)) = bias {
        let b: CudaView<T> = view(s3, l3)?;
        let more: Option<CudaView<T>> = more.map(|(s, l)| view(s, l)).transpose()?;
        let [_, channels, rows, columns] = p.y.map(|d| d as usize);
        let sizes = (channels, rows * columns);
        add(&mut y, (&b, more.as_ref()), sizes, after, dev)?;
    }
    Ok(CudaStorage::wrap_cuda_slice(y, dev.clone()))
}

/// The convolution alone, of tensors that lie as `p` says.
///
/// # Errors
/// Those of cuDNN and of the device.
pub(super) fn convolved<T: Float>(
    x: &CudaView<T>,
    w: &CudaView<T>,
    p: &Problem,
    dev: &CudaDevice,
) -> Result<CudaSlice<T>> {
    if (x.len(), w.len()) != (count(&p.x), count(&p.w)) {
        bail!("conv2d: {} and {} values in {p:?}", x.len(), w.len());
    }
    let mut y = room::<T>(dev, count(&p.y))?;
    library(dev, |library| {
        let d = Described::<T>::new(&library.handle, p)?;
        let op = ConvForward {
            conv: &d.conv,
            x: &d.x,
            w: &d.w,
            y: &d.y,
        };
        let (algo, bytes) = chosen::<T, _>(&mut library.forward, p, || {
            let algo = op.pick_algorithm()?;
            Ok((algo, op.get_workspace_size(algo)?))
        })?;
        let scales = (T::one(), T::zero());
        library.with_workspace(dev, bytes, |work| {
            // SAFETY: the descriptors are those of the tensors, whose sizes were checked.
            unsafe { op.launch(algo, Some(work), scales, x, w, &mut y)? };
            Ok(())
        })
    })?;
    Ok(y)
}

/// The gradient of the input, of `shape`, of tensors that lie as `p` says.
///
/// # Errors
/// Those of cuDNN and of the device.
pub(super) fn input_grad<T: Float>(
    (s1, l1): (&CudaStorage, &Layout),
    (s2, l2): (&CudaStorage, &Layout),
    p: &Problem,
    shape: &Shape,
) -> Result<Tensor> {
    let dev = device(s1);
    let (w, dy): (CudaView<T>, CudaView<T>) = (view(s1, l1)?, view(s2, l2)?);
    let mut dx = room::<T>(dev, count(&p.x))?;
    library(dev, |library| {
        let d = Described::<T>::new(&library.handle, p)?;
        let op = ConvBackwardData {
            conv: &d.conv,
            dx: &d.x,
            w: &d.w,
            dy: &d.y,
        };
        let (algo, bytes) = chosen::<T, _>(&mut library.data, p, || {
            let algo = match op.pick_algorithm()? {
                // This algorithm sums by atomic additions, in no fixed order.
                DataAlgo::CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 => {
                    DataAlgo::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1
                }
                algo => algo,
            };
            Ok((algo, op.get_workspace_size(algo)?))
        })?;
        let scales = (T::one(), T::zero());
        library.with_workspace(dev, bytes, |work| {
            // SAFETY: the descriptors are those of the tensors, whose sizes were checked.
            unsafe { op.launch(algo, Some(work), scales, &mut dx, &w, &dy)? };
            Ok(())
        })
    })?;
    Ok(tensor(dx, shape, dev))
}

/// The gradient of the weight, of `shape`, of tensors that lie as `p` says.
///
/// # Errors
/// Those of cuDNN and of the device.
pub(super) fn weight_grad<T: Float>(
    (s1, l1): (&CudaStorage, &Layout),
    (s2, l2): (&CudaStorage, &Layout),
    p: &Problem,
    shape: &Shape,
) -> Result<Tensor> {
    let dev = device(s1);
    let (x, dy): (CudaView<T>, CudaView<T>) = (view(s1, l1)?, view(s2, l2)?);
    let mut dw = room::<T>(dev, count(&p.w))?;
    library(dev, |library| {
        let d = Described::<T>::new(&library.handle, p)?;
        let op = ConvBackwardFilter {
            conv: &d.conv,
            x: &d.x,
            dw: &d.w,
            dy: &d.y,
        };
        let (algo, bytes) = chosen::<T, _>(&mut library.filter, p, || {
            let algo = match op.pick_algorithm()? {
                // These algorithms sum by atomic additions, in no fixed order.
                FilterAlgo::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0
                | FilterAlgo::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3 => {
                    FilterAlgo::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1
                }
                algo => algo,
            };
            Ok((algo, op.get_workspace_size(algo)?))
        })?;
        let scales = (T::one(), T::zero());
        library.with_workspace(dev, bytes, |work| {
            // SAFETY: the descriptors are those of the tensors, whose sizes were checked.
            unsafe { op.launch(algo, Some(work), scales, &x, &mut dw, &dy)? };
            Ok(())
        })
    })?;
    Ok(tensor(dw, shape, dev))
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
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
        self.forward((s1, l1), (s2, l2), None)
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

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
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
        self.forward((s1, l1), (s2, l2), Some((s3, l3)))
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
        let dy = aligned(dy)?;
        let (dx, dw) = self.backward(x, w, &dy)?;
        let db = if bias.track_op() {
            Some(with([&dy], |[dy]| by_type!(dy.0, sums(dy, bias.shape())))?)
        } else {
            None
        };
        Ok((dx, dw, db))
    }
}
