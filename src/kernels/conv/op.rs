//! The convolution as a candle operation with gradients for input, weights and bias.

use super::direct;
#[cfg(feature = "cuda")]
use super::formats::channels_last;
use super::formats::of_rows_and_columns;
use super::layout::{Images, Spec};
use super::pointwise;
use super::weight_grad::weight_grad;
use super::weights::Weights;
use super::winograd;
#[cfg(feature = "cuda")]
use crate::kernels::cuda::channels_last as last;
use crate::kernels::gradients::cast::{cast, half, widened};
use crate::kernels::gradients::record::{apply2, apply3};
use crate::kernels::pairs::sum;
use crate::kernels::view::{View, ours, slice, tensor};
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::profile::{Operation, span};
use crate::machine::scratch::unfilled;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// `x [n, ci, h, w]` convolved with `w [co, ci, kh, kw]`, plus `bias [co]` → `[n, co, oh, ow]`; differentiable in all three.
/// `w [co, ci, k]` is one of width 1.
///
/// On the CPU in f32 each image's result has the same bits whatever the batch size and the number of threads, and the
/// gradient of the weights whatever the number of threads. Halves on the CPU are widened first, and the sum is rounded
/// once. Elsewhere it is candle's own convolution.
pub fn conv2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    Conv2d::new(stride, padding).apply(x, w, bias)
}

/// [`conv2d`] plus `more [n, co, oh, ow]`, which a GPU's halves take in one pass.
pub fn conv2d_plus(
    more: &Tensor,
    (x, w): (&Tensor, &Tensor),
    bias: &Tensor,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if channels_last(x, w) && channels_last(more, bias) {
        let w = &of_rows_and_columns(w)?;
        let _span = span(Operation::ConvolutionForward);
        let op = Conv2d::new(stride, padding).on_gpu();
        return last::conv::conv2d(op, (x, w), Some(bias), Some(more));
    }
    #[cfg(feature = "cuda")]
    if crate::kernels::cuda::takes(&[more, x, w, bias])
        && ![more, x, w, bias].iter().any(|t| t.track_op())
    {
        let _span = span(Operation::ConvolutionForward);
        let w = &of_rows_and_columns(w)?;
        let op = Conv2d::new(stride, padding).on_gpu();
        return op.apply_plus(more, x, w, bias);
    }
    sum(more, &conv2d(x, w, Some(bias), stride, padding)?)
}

/// A convolution's stride and padding, and the instructions that it runs on.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    stride: usize,
    padding: usize,
    isa: Isa,
}

impl Conv2d {
    pub fn new(stride: usize, padding: usize) -> Conv2d {
        Conv2d {
            stride,
            padding,
            isa: Isa::best(),
        }
    }

    /// The same on another of `Isa::available()`.
    pub fn on(self, isa: Isa) -> Conv2d {
        Conv2d { isa, ..self }
    }

    /// See [`conv2d`].
    pub fn apply(self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        if half(x) {
            let bias = bias.map(|b| cast(b, DType::F32)).transpose()?;
            return widened([x, w], |[x, w]| self.apply(x, w, bias.as_ref()));
        }
        if w.rank() == 3 && !ours(&[x, w]) {
            return self.apply(x, &of_rows_and_columns(w)?, bias);
        }
        let _span = span(Operation::ConvolutionForward);
        #[cfg(feature = "cuda")]
        if channels_last(x, w) {
            return last::conv::conv2d(self.on_gpu(), (x, w), bias, None);
        }
        #[cfg(feature = "cuda")]
        if crate::kernels::cuda::takes(&[x, w]) {
            return self.on_gpu().apply(x, w, bias);
        }
        if !ours(&[x, w]) {
            let y = x.conv2d(w, self.padding, self.stride, 1, 1)?;
            return match bias {
                Some(b) => y.broadcast_add(&b.reshape((1, b.elem_count(), 1, 1))?),
                None => Ok(y),
            };
        }
        let (x, w) = (x.contiguous()?, w.contiguous()?);
        match bias {
            Some(b) => apply3([&x, &w, &b.contiguous()?], self),
            None => apply2([&x, &w], self),
        }
    }

    #[cfg(feature = "cuda")]
    fn on_gpu(self) -> crate::kernels::cuda::conv::Conv2d {
        crate::kernels::cuda::conv::Conv2d {
            stride: self.stride,
            padding: (self.padding, self.padding),
            relu: false,
            tf32: crate::kernels::tf32::allowed(),
        }
    }

    fn spec(&self, x: &Shape, w: &Shape) -> Result<Spec> {
        let (_, ci, h, wd) = x.dims4()?;
        let (cout, cin, kh, kw) = match w.dims() {
            [cout, cin, kh] => (*cout, *cin, *kh, 1),
            _ => w.dims4()?,
        };
        let pad = self.padding;
        if ci != cin || self.stride == 0 || h + 2 * pad < kh || wd + 2 * pad < kw {
            bail!(
                "conv2d: input {x:?} does not fit weight {w:?} at stride {} and padding {pad}",
                self.stride
            );
        }
        Ok(Spec {
            cin,
            cout,
            kh,
            kw,
            stride: self.stride,
            pad_y: pad,
            pad_x: pad,
        })
    }

    fn forward(
        &self,
        (s1, l1): (&CpuStorage, &Layout),
        (s2, l2): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let spec = self.spec(l1.shape(), l2.shape())?;
        let (n, _, h, w) = l1.shape().dims4()?;
        if let Some(b) = bias
            && b.len() != spec.cout
        {
            bail!("conv2d: bias of {} for {} channels", b.len(), spec.cout);
        }
        let x = Images {
            data: slice(s1, l1)?,
            n,
            h,
            w,
        };
        let weights = Weights::plain(slice(s2, l2)?, &spec);
        let (oh, ow) = spec.out(h, w);
        let y = self.run(spec, x, weights, bias);
        Ok((CpuStorage::F32(y), (n, spec.cout, oh, ow).into()))
    }

    fn run(&self, spec: Spec, x: Images, weights: Weights, bias: Option<&[f32]>) -> Vec<f32> {
        let (oh, ow) = spec.out(x.h, x.w);
        let mut y = unfilled(x.n * spec.cout * oh * ow);
        let out = direct::output(self.isa, &mut y, spec.cout, oh * ow, bias);
        if pointwise::fits(&spec) {
            pointwise::forward(spec, x, weights, out);
        } else if winograd::pays(&spec, oh, ow) {
            winograd::forward(spec, x, weights, out);
        } else {
            direct::forward(spec, x, weights, out);
        }
        y
    }

    /// Gradients of those inputs that are part of a graph.
    fn backward(
        &self,
        x: &Tensor,
        w: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let spec = self.spec(x.shape(), w.shape())?;
        let _span = span(Operation::ConvolutionBackward);
        let (n, _, h, wd) = x.dims4()?;
        let dy = View::of(dy)?;
        let dx = if x.track_op() {
            Some(self.input_grad(spec, (n, h, wd), &View::of(w)?, &dy)?)
        } else {
            None
        };
        if !w.track_op() {
            return Ok((dx, None));
        }
        let view = View::of(x)?;
        let images = Images {
            data: &view,
            n,
            h,
            w: wd,
        };
        let images = if pointwise::fits(&spec) {
            pointwise::fold(images)
        } else {
            images
        };
        let mut dw = unfilled(w.elem_count());
        weight_grad(self.isa, spec, images, &dy, &mut dw);
        Ok((dx, Some(tensor(dw, w.shape())?)))
    }

    /// A convolution of stride 1 with the weights turned around, over dy with zeros between its pixels.
    fn input_grad(
        &self,
        spec: Spec,
        (n, h, w): (usize, usize, usize),
        weights: &[f32],
        dy: &[f32],
    ) -> Result<Tensor> {
        let back = Spec {
            cin: spec.cout,
            cout: spec.cin,
            stride: 1,
            pad_y: margin(spec.kh, spec.pad_y)?,
            pad_x: margin(spec.kw, spec.pad_x)?,
            ..spec
        };
        let (oh, ow) = spec.out(h, w);
        let (fh, fw) = (
            h + 2 * spec.pad_y + 1 - spec.kh,
            w + 2 * spec.pad_x + 1 - spec.kw,
        );
        let spread = match spec.stride {
            1 => Vec::new(),
            s => spread(dy, (oh, ow), (fh, fw), s),
        };
        let data = if spec.stride > 1 { &spread } else { dy };
        let dy = Images {
            data,
            n,
            h: fh,
            w: fw,
        };
        let dx = self.run(back, dy, Weights::turned(weights, &spec), None);
        tensor(dx, (n, spec.cin, h, w))
    }
}

fn margin(kernel: usize, padding: usize) -> Result<usize> {
    match (kernel - 1).checked_sub(padding) {
        Some(m) => Ok(m),
        None => bail!("conv2d: padding {padding} of a kernel of {kernel} has no gradient here"),
    }
}

/// Planes of `oh x ow` in planes of `fh x fw`, `stride` apart, zeros between.
fn spread(
    dy: &[f32],
    (oh, ow): (usize, usize),
    (fh, fw): (usize, usize),
    stride: usize,
) -> Vec<f32> {
    let mut wide = vec![0f32; dy.len() / (oh * ow) * fh * fw];
    wide.par_chunks_mut(fh * fw)
        .zip(dy.par_chunks(oh * ow))
        .for_each(|(wide, dy)| {
            for (y, row) in dy.chunks(ow).enumerate() {
                for (x, value) in row.iter().enumerate() {
                    wide[y * stride * fw + x * stride] = *value;
                }
            }
        });
    wide
}

/// The bias's gradient: dy summed over images and pixels, in an order that does not depend on threads.
fn bias_grad(dy: &Tensor) -> Result<Tensor> {
    let _span = span(Operation::ConvolutionBackward);
    let (n, c, h, w) = dy.dims4()?;
    let (view, plane) = (View::of(dy)?, h * w);
    let mut db = unfilled(c);
    db.par_iter_mut().enumerate().for_each(|(c0, sum)| {
        let _flush = Flush::start();
        let mut total = 0f64;
        for i in 0..n {
            let mut lanes = [0f32; 16];
            let row = &view[(i * c + c0) * plane..][..plane];
            let (chunks, rest) = row.as_chunks::<16>();
            for chunk in chunks {
                for (lane, value) in lanes.iter_mut().zip(chunk) {
                    *lane += value;
                }
            }
            total += lanes.iter().chain(rest).map(|v| f64::from(*v)).sum::<f64>();
        }
        *sum = total as f32;
    });
    tensor(db, c)
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((s1, l1), (s2, l2), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.backward(x, w, &dy.contiguous()?)
    }
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
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
        self.forward((s1, l1), (s2, l2), Some(slice(s3, l3)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (dx, dw) = self.backward(x, w, &dy)?;
        let db = if bias.track_op() {
            Some(bias_grad(&dy)?)
        } else {
            None
        };
        Ok((dx, dw, db))
    }
}
