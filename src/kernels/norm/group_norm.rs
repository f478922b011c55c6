//! Group normalisation (arXiv:1803.08494) with its affine map, ADM's scale and shift, and SiLU, as one operation with gradients.

use crate::kernels::gradients::cast::{half, widened};
use crate::kernels::gradients::record::apply2;
#[cfg(feature = "cuda")]
use crate::kernels::norm::affine::Own;
use crate::kernels::norm::affine::both;
pub use crate::kernels::norm::loops::Activation;
use crate::kernels::norm::loops::{Grads, Group, Stats, backward, forward};
use crate::kernels::view::{View, ours, slice, tensor};
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::profile::{Operation, span};
use crate::machine::scratch::{Ptr, unfilled};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::OnceLock;

/// Group normalisation (eps 1e-5) of `x [n, c, ...]` in `groups`, times `weight [c]` plus `bias [c]`, then, where `adaptive`
/// `[n, 2c]` is given, times 1 + its first half plus its second (ADM's scale and shift), then `activation`; differentiable in all
/// of them.
///
/// On the CPU in f32 it is one pass with fixed sums, so an image's result has the same bits whatever the batch size and
/// the number of threads; elsewhere it is candle's composition. The sums are in f32 whatever the type of `x`, whose type
/// the result has.
pub fn group_norm(
    x: &Tensor,
    groups: usize,
    weight: &Tensor,
    bias: &Tensor,
    adaptive: Option<&Tensor>,
    activation: Activation,
) -> Result<Tensor> {
    if half(x) {
        return widened([x], |[x]| {
            group_norm(x, groups, weight, bias, adaptive, activation)
        });
    }
    let _span = span(Operation::NormForward);
    #[cfg(feature = "cuda")]
    if let Some(y) = on_gpu(x, groups, (weight, bias), adaptive, activation)? {
        return Ok(y);
    }
    if !ours(&[x, weight, bias]) || adaptive.is_some_and(|both| !ours(&[both])) {
        let (gain, offset) = affine(x, weight, bias, adaptive)?;
        return composed(x, groups, &gain, &offset, activation);
    }
    let both = both(x.dim(0)?, (weight, bias), adaptive)?;
    let op = GroupNorm::new(groups, activation, Isa::best());
    apply2([&x.contiguous()?, &both], op)
}

/// On a GPU, in one launch where nothing is part of a graph; none where its kernels do not take `x`.
#[cfg(feature = "cuda")]
fn on_gpu(
    x: &Tensor,
    groups: usize,
    own: Own,
    adaptive: Option<&Tensor>,
    activation: Activation,
) -> Result<Option<Tensor>> {
    use crate::kernels::cuda::channels_last::norm as last;
    use crate::kernels::cuda::norm;
    let lies_last = last::fits(x, groups);
    if !lies_last && !norm::fits(x) {
        return Ok(None);
    }
    let whole = if lies_last {
        last::whole(x, groups, own, adaptive, activation)?
    } else {
        norm::whole(x, groups, own, adaptive, activation)?
    };
    if whole.is_some() {
        return Ok(whole);
    }
    let both = both(x.dim(0)?, own, adaptive)?;
    let y = if lies_last {
        last::group_norm(x, groups, &both, activation)?
    } else {
        norm::group_norm(x, groups, &both, activation)?
    };
    Ok(Some(y))
}

/// Both affine maps as one: a gain and an offset `[n, c]` of the normalised values.
fn affine(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    adaptive: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    let (n, c) = (x.dim(0)?, x.dim(1)?);
    let (weight, bias) = (weight.reshape((1, c))?, bias.reshape((1, c))?);
    let (gain, offset) = match adaptive {
        None => (weight.broadcast_as((n, c))?, bias.broadcast_as((n, c))?),
        Some(both) => {
            let (scale, shift) = (both.narrow(1, 0, c)?, both.narrow(1, c, c)?);
            let scale = (scale + 1.0)?;
            (
                scale.broadcast_mul(&weight)?,
                (scale.broadcast_mul(&bias)? + shift)?,
            )
        }
    };
    Ok((gain.contiguous()?, offset.contiguous()?))
}

/// The same out of candle's operations, in f32 whatever the type of `x`.
fn composed(
    x: &Tensor,
    groups: usize,
    gain: &Tensor,
    offset: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let shape = x.dims().to_vec();
    let (n, c) = (shape[0], shape[1]);
    let wide = x.to_dtype(candle_core::DType::F32)?;
    let rows = wide.reshape((n, groups, x.elem_count() / (n * groups)))?;
    let centred = rows.broadcast_sub(&rows.mean_keepdim(2)?)?;
    let variance = centred.sqr()?.mean_keepdim(2)?;
    let unit = centred.broadcast_div(&(variance + 1e-5)?.sqrt()?)?;
    let unit = unit.reshape((n, c, x.elem_count() / (n * c)))?;
    let per_channel = |t: &Tensor| t.to_dtype(candle_core::DType::F32)?.reshape((n, c, 1));
    let y = unit
        .broadcast_mul(&per_channel(gain)?)?
        .broadcast_add(&per_channel(offset)?)?;
    let y = match activation {
        Activation::Silu => y.silu()?,
        Activation::None => y,
    };
    y.to_dtype(x.dtype())?.reshape(shape)
}

/// The operation on `(x [n, c, ...], gains and offsets [2, n, c])`.
pub struct GroupNorm {
    groups: usize,
    activation: Activation,
    isa: Isa,
    /// of every group of every image, kept by the forward pass for the gradients
    stats: OnceLock<Vec<Stats>>,
}

/// Sizes that both passes need.
struct Sizes {
    channels: usize,
    plane: usize,
    /// channels and floats of a group
    width: usize,
    size: usize,
    count: usize,
}

impl GroupNorm {
    pub fn new(groups: usize, activation: Activation, isa: Isa) -> GroupNorm {
        GroupNorm {
            groups,
            activation,
            isa,
            stats: OnceLock::new(),
        }
    }

    fn sizes(&self, shape: &Shape) -> Result<Sizes> {
        let dims = shape.dims();
        let (n, channels) = match dims {
            [n, c, _, ..] => (*n, *c),
            _ => bail!("group_norm: {shape:?} is not [n, c, ...]"),
        };
        if self.groups == 0 || !channels.is_multiple_of(self.groups) {
            bail!("group_norm: {channels} channels in {} groups", self.groups);
        }
        let plane = dims[2..].iter().product::<usize>();
        let width = channels / self.groups;
        Ok(Sizes {
            channels,
            plane,
            width,
            size: width * plane,
            count: n * self.groups,
        })
    }

    fn group<'a>(
        &self,
        s: &Sizes,
        i: usize,
        x: &'a [f32],
        g: &'a [f32],
        o: &'a [f32],
    ) -> Group<'a> {
        Group {
            x: &x[i * s.size..][..s.size],
            plane: s.plane,
            gain: &g[i * s.width..][..s.width],
            offset: &o[i * s.width..][..s.width],
            activation: self.activation,
        }
    }
}

impl CustomOp2 for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let s = self.sizes(l1.shape())?;
        let (x, both) = (slice(s1, l1)?, slice(s2, l2)?);
        if both.len() != 2 * s.count * s.width {
            bail!("group_norm: gains do not fit {} channels", s.channels);
        }
        let (gain, offset) = both.split_at(s.count * s.width);
        let mut y = unfilled(x.len());
        let stats: Vec<Stats> = y
            .par_chunks_mut(s.size)
            .enumerate()
            .map(|(i, y)| {
                let _flush = Flush::start();
                forward(self.isa, &self.group(&s, i, x, gain, offset), y)
            })
            .collect();
        self.stats.get_or_init(|| stats);
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        both: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(stats) = self.stats.get() else {
            bail!("group_norm: the gradient was asked for before the result")
        };
        let _span = span(Operation::NormBackward);
        let s = self.sizes(x.shape())?;
        let dy = dy.contiguous()?;
        let (shape, maps) = (x.shape(), both.shape());
        let (x, both, dy) = (View::of(x)?, View::of(both)?, View::of(&dy)?);
        let (mut dx, mut dboth) = (unfilled(x.len()), unfilled(both.len()));
        let (x, dy): (&[f32], &[f32]) = (&x, &dy);
        let (gain, offset) = both.split_at(both.len() / 2);
        let (dgain, doffset) = dboth.split_at_mut(gain.len());
        let out = [&mut dx[..], dgain, doffset].map(|v| Ptr::new(v.as_mut_ptr()));
        (0..s.count).into_par_iter().for_each(|i| {
            let _flush = Flush::start();
            // SAFETY: group `i` of every buffer is written by this task alone.
            let mut grads = unsafe {
                Grads {
                    x: out[0].part(i * s.size, s.size),
                    gain: out[1].part(i * s.width, s.width),
                    offset: out[2].part(i * s.width, s.width),
                }
            };
            let group = self.group(&s, i, x, gain, offset);
            backward(
                self.isa,
                &group,
                stats[i],
                &dy[i * s.size..][..s.size],
                &mut grads,
            );
        });
        Ok((Some(tensor(dx, shape)?), Some(tensor(dboth, maps)?)))
    }
}
