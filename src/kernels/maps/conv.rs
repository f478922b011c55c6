//! A convolution with its bias and its activation, its weights packed once for the many images that it will see.

use super::blocked::{Blocked, Slot};
use super::direct::Direct;
pub use super::weights::Activation;
use super::winograd::{self, Winograd};
use crate::kernels::conv::layout::Spec;
use crate::kernels::view::{View, ours};
use candle_core::{Result, Tensor, bail};

/// `x [n, ci, h, w]` convolved, bias added, and the activation of that; forwards only.
pub struct Conv {
    pub(super) spec: Spec,
    activation: Activation,
    body: Body,
}

enum Body {
    Plain { weight: Tensor, bias: Tensor },
    Direct(Direct),
    Winograd(Winograd),
}

impl Conv {
    /// `weight [co, ci, kh, kw]`, `bias [co]`, stride 1 or 2, rows and columns of `padding` on each side.
    ///
    /// On the CPU in f32 it works on maps in the kernels' layout, and an image's result has the same bits whatever the
    /// batch size and the number of threads: Winograd F(4x4, 3x3) for 3x3 of stride 1 and 32 channels or more, direct for
    /// everything else. Elsewhere, and with [`Conv::plain`], it is candle's own convolution.
    pub fn new(
        weight: &Tensor,
        bias: &Tensor,
        stride: usize,
        padding: (usize, usize),
        activation: Activation,
    ) -> Result<Conv> {
        let mut conv = Conv::plain(weight, bias, stride, padding, activation)?;
        if ours(&[weight, bias]) {
            let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
            let (w, b) = (View::of(&weight)?, View::of(&bias)?);
            conv.body = if winograd::pays(&conv.spec) {
                Body::Winograd(Winograd::new(conv.spec, &w, &b, activation))
            } else {
                Body::Direct(Direct::new(conv.spec, &w, &b, activation))
            };
        }
        Ok(conv)
    }

    /// The same by candle's plain operations on any device.
    pub fn plain(
        weight: &Tensor,
        bias: &Tensor,
        stride: usize,
        (pad_y, pad_x): (usize, usize),
        activation: Activation,
    ) -> Result<Conv> {
        let (cout, cin, kh, kw) = weight.dims4()?;
        if bias.dims() != [cout] {
            bail!("conv: bias {:?} for {cout} channels", bias.dims());
        }
        if !(1..=2).contains(&stride) || pad_y >= kh || pad_x >= kw {
            bail!(
                "conv: stride {stride} and padding {pad_y} x {pad_x} of a kernel {kh} x {kw}; stride 1 or 2 and less \
                 padding than kernel are allowed"
            );
        }
        let (weight, bias) = (weight.clone(), bias.clone());
        Ok(Conv {
            spec: Spec {
                cin,
                cout,
                kh,
                kw,
                stride,
                pad_y,
                pad_x,
            },
            activation,
            body: Body::Plain { weight, bias },
        })
    }

    /// Output channels.
    pub fn channels(&self) -> usize {
        self.spec.cout
    }

    /// Output rows and columns for maps of `channels` channels of `h` x `w`.
    pub fn out(&self, channels: usize, (h, w): (usize, usize)) -> Result<(usize, usize)> {
        let s = &self.spec;
        if channels != s.cin || h + 2 * s.pad_y < s.kh || w + 2 * s.pad_x < s.kw {
            bail!("conv: maps of {channels} channels of {h} x {w} do not fit {s:?}");
        }
        Ok(s.out(h, w))
    }

    pub(super) fn on_blocked(&self, x: &Blocked, out: &Slot) -> Result<()> {
        match &self.body {
            Body::Direct(direct) => direct.forward(x, out),
            Body::Winograd(winograd) => winograd.forward(x, out),
            Body::Plain { .. } => bail!("conv: plain weights do not read maps in blocks"),
        }
        Ok(())
    }

    pub(super) fn on_plain(&self, x: &Tensor) -> Result<Tensor> {
        let Body::Plain { weight, bias } = &self.body else {
            bail!("conv: packed weights read maps in blocks only")
        };
        let s = &self.spec;
        #[cfg(feature = "cuda")]
        if crate::kernels::cuda::takes(&[x, weight]) {
            let op = crate::kernels::cuda::conv::Conv2d {
                stride: s.stride,
                padding: (s.pad_y, s.pad_x),
                relu: self.activation == Activation::Relu,
                tf32: false,
            };
            return op.apply(x, weight, Some(bias));
        }
        let y = if s.pad_y == s.pad_x {
            x.conv2d(weight, s.pad_y, s.stride, 1, 1)?
        } else {
            x.pad_with_zeros(2, s.pad_y, s.pad_y)?
                .pad_with_zeros(3, s.pad_x, s.pad_x)?
                .conv2d(weight, 0, s.stride, 1, 1)?
        };
        let y = y.broadcast_add(&bias.reshape((1, s.cout, 1, 1))?)?;
        match self.activation {
            Activation::Relu => y.relu(),
            Activation::None => Ok(y),
        }
    }
}
