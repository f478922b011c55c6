//! Feature maps by whichever kernels their device has, and the concatenations that layers write into.

use super::blocked::Blocked;
use super::conv::Conv;
use super::pools::{Pool, pool3};
#[cfg(feature = "cuda")]
use crate::kernels::cuda;
use crate::kernels::view::{View, ours, tensor};
use crate::machine::isa::Isa;
use crate::machine::profile::{Operation, span};
use candle_core::{D, Result, Tensor, bail};
use std::sync::Arc;

/// Feature maps of n images; cloning shares them.
#[derive(Clone)]
pub struct Maps(Kind);

#[derive(Clone)]
enum Kind {
    Plain(Tensor),
    Blocked(Arc<Blocked>),
}

impl Maps {
    /// x [n, c, h, w]: in the kernels' layout where it is f32 on the CPU, as it is elsewhere.
    pub fn new(x: &Tensor) -> Result<Maps> {
        if ours(&[x]) {
            Maps::on(x, Isa::best())
        } else {
            Ok(Maps::plain(x))
        }
    }

    /// f32 maps on the CPU for one of `Isa::available()`.
    pub fn on(x: &Tensor, isa: Isa) -> Result<Maps> {
        let x = x.contiguous()?;
        let blocked = Blocked::from_planes(isa, &View::of(&x)?, x.dims4()?);
        Ok(Maps(Kind::Blocked(Arc::new(blocked))))
    }

    /// Maps for candle's plain operations, with convolutions made by [`Conv::plain`].
    pub fn plain(x: &Tensor) -> Maps {
        Maps(Kind::Plain(x.clone()))
    }

    /// n, channels, h, w.
    pub fn dims(&self) -> Result<(usize, usize, usize, usize)> {
        match &self.0 {
            Kind::Plain(x) => x.dims4(),
            Kind::Blocked(x) => Ok((x.n, x.channels, x.h, x.w)),
        }
    }

    /// [n, c, h, w].
    pub fn tensor(&self) -> Result<Tensor> {
        match &self.0 {
            Kind::Plain(x) => Ok(x.clone()),
            Kind::Blocked(x) => tensor(x.planes(), (x.n, x.channels, x.h, x.w)),
        }
    }

    /// The mean of every channel: [n, c].
    pub fn means(&self) -> Result<Tensor> {
        match &self.0 {
            Kind::Plain(x) => x.mean((D::Minus2, D::Minus1)),
            Kind::Blocked(x) => tensor(x.means(), (x.n, x.channels)),
        }
    }

    /// The first `channels` (at most 16) of every pixel, pixel by pixel: [n, h * w * channels].
    pub fn first(&self, channels: usize) -> Result<Tensor> {
        let (n, c, h, w) = self.dims()?;
        if channels > c.min(16) {
            bail!("maps of {c} channels have no first {channels} in one block");
        }
        match &self.0 {
            Kind::Plain(x) => x
                .narrow(1, 0, channels)?
                .permute((0, 2, 3, 1))?
                .contiguous()?
                .flatten_from(1),
            Kind::Blocked(x) => tensor(x.first(channels), (n, h * w * channels)),
        }
    }

    /// One convolution alone.
    pub fn conv(&self, conv: &Conv) -> Result<Maps> {
        let (_, c, h, w) = self.dims()?;
        let mut stack = self.stack(conv.channels(), conv.out(c, (h, w))?);
        stack.conv(self, conv)?;
        stack.finish()
    }

    /// One pool of maxima alone; see [`Stack::max3`].
    pub fn max3(&self, stride: usize, pad: usize) -> Result<Maps> {
        self.pooled(Pool::Max, stride, pad)
    }

    /// One pool of means alone; see [`Stack::mean3`].
    pub fn mean3(&self) -> Result<Maps> {
        self.pooled(Pool::Mean, 1, 1)
    }

    fn pooled(&self, kind: Pool, stride: usize, pad: usize) -> Result<Maps> {
        let (_, c, h, w) = self.dims()?;
        let mut stack = self.stack(c, (pooled(h, stride, pad)?, pooled(w, stride, pad)?));
        stack.pool(self, kind, stride, pad)?;
        stack.finish()
    }

    /// Room for maps of `channels` channels of `h` x `w`, of these maps' kind and number.
    pub fn stack(&self, channels: usize, (h, w): (usize, usize)) -> Stack {
        let parts = match &self.0 {
            Kind::Plain(_) => Parts::Plain(Vec::new()),
            Kind::Blocked(x) => Parts::Blocked(Blocked::unfilled(x.isa, x.n, channels, (h, w))),
        };
        Stack {
            parts,
            channels,
            size: (h, w),
            filled: 0,
        }
    }
}

/// Pixels of a side of `size` after a pool of 3.
fn pooled(size: usize, stride: usize, pad: usize) -> Result<usize> {
    match (size + 2 * pad).checked_sub(3) {
        Some(room) if stride > 0 && pad < 3 => Ok(room / stride + 1),
        _ => bail!("pool: {size} pixels at stride {stride} and padding {pad} have no 3"),
    }
}

/// A concatenation over channels, whose parts are written where they belong, one after another.
pub struct Stack {
    parts: Parts,
    channels: usize,
    size: (usize, usize),
    filled: usize,
}

enum Parts {
    Plain(Vec<Tensor>),
    Blocked(Blocked),
}

impl Stack {
    /// Appends `x` convolved.
    pub fn conv(&mut self, x: &Maps, conv: &Conv) -> Result<()> {
        let _span = span(Operation::MapConvolution);
        let (n, c, h, w) = x.dims()?;
        let at = self.place(n, conv.channels(), conv.out(c, (h, w))?)?;
        match (&mut self.parts, &x.0) {
            (Parts::Plain(parts), Kind::Plain(x)) => parts.push(conv.on_plain(x)?),
            (Parts::Blocked(out), Kind::Blocked(x)) => conv.on_blocked(x, &out.slot(at))?,
            _ => bail!("maps of two kinds do not stack"),
        }
        Ok(())
    }

    /// Appends the maxima of 3 x 3 pixels of `x`, `stride` apart, reaching `pad` pixels over the edges.
    pub fn max3(&mut self, x: &Maps, stride: usize, pad: usize) -> Result<()> {
        self.pool(x, Pool::Max, stride, pad)
    }

    /// Appends the means of 3 x 3 pixels of `x` around every pixel; what lies past the edges does not count.
    pub fn mean3(&mut self, x: &Maps) -> Result<()> {
        self.pool(x, Pool::Mean, 1, 1)
    }

    fn pool(&mut self, x: &Maps, kind: Pool, stride: usize, pad: usize) -> Result<()> {
        let _span = span(Operation::MapPool);
        let (n, c, h, w) = x.dims()?;
        let at = self.place(n, c, (pooled(h, stride, pad)?, pooled(w, stride, pad)?))?;
        match (&mut self.parts, &x.0) {
            #[cfg(feature = "cuda")]
            (Parts::Plain(parts), Kind::Plain(x)) if cuda::takes(&[x]) => {
                let mean = kind == Pool::Mean;
                parts.push(cuda::planes::Pool3 { stride, pad, mean }.apply(x)?);
            }
            (Parts::Plain(parts), Kind::Plain(x)) => parts.push(match kind {
                Pool::Max => plain_max(x, stride, pad)?,
                Pool::Mean => plain_mean(x)?,
            }),
            (Parts::Blocked(out), Kind::Blocked(x)) if c != 3 => {
                pool3(x, kind, stride, pad, &out.slot(at))
            }
            _ => bail!("maps of two kinds do not stack, and pictures of 3 channels have no pool"),
        }
        Ok(())
    }

    /// The channel that the next part starts at, if it fits.
    fn place(&mut self, n: usize, channels: usize, size: (usize, usize)) -> Result<usize> {
        let at = self.filled;
        if let Parts::Blocked(out) = &self.parts
            && (n != out.n || !at.is_multiple_of(16))
        {
            bail!(
                "a part of {n} images does not stack at channel {at} of {}",
                out.n
            );
        }
        if size != self.size || at + channels > self.channels || self.channels == 3 {
            bail!(
                "a part of {channels} channels of {size:?} does not stack at channel {at} of {} of {:?}",
                self.channels,
                self.size
            );
        }
        self.filled += channels;
        Ok(at)
    }

    /// The maps, once every channel was written.
    pub fn finish(self) -> Result<Maps> {
        if self.filled != self.channels {
            bail!("{} of {} channels were stacked", self.filled, self.channels);
        }
        Ok(Maps(match self.parts {
            Parts::Blocked(out) => Kind::Blocked(Arc::new(out)),
            Parts::Plain(parts) => Kind::Plain(Tensor::cat(&parts, 1)?),
        }))
    }
}

/// Candle pads with zeros only, which are no maxima: the lowest number stands for what is not there.
fn plain_max(x: &Tensor, stride: usize, pad: usize) -> Result<Tensor> {
    let framed = match pad {
        0 => x.clone(),
        _ => {
            let frame = |x: &Tensor, dim: usize| -> Result<Tensor> {
                let mut shape = x.dims().to_vec();
                shape[dim] = pad;
                let edge = Tensor::full(f32::MIN, shape, x.device())?.to_dtype(x.dtype())?;
                Tensor::cat(&[&edge, x, &edge], dim)
            };
            frame(&frame(x, 2)?, 3)?
        }
    };
    framed.max_pool2d_with_stride(3, stride)
}

fn plain_mean(x: &Tensor) -> Result<Tensor> {
    let sums = |x: &Tensor| -> Result<Tensor> {
        let x = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
        x.avg_pool2d_with_stride(3, 1)
    };
    // The pool divides by 9 even at an edge, in the sums and in the counts of pixels alike: the ratio is the mean of those
    // that are there.
    let counts = sums(&Tensor::ones_like(&x.narrow(0, 0, 1)?.narrow(1, 0, 1)?)?)?;
    sums(x)?.broadcast_div(&counts)
}
