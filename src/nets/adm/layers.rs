//! The layers of the ADM nets and of the feature net, with torch's names and torch's initialisation.

use crate::kernels::conv;
use crate::kernels::gradients::cast::cast;
use crate::kernels::linear::product;
use crate::kernels::norm::group_norm::{Activation, group_norm};
use crate::kernels::pairs::masked;
use crate::random::stream::{Rng, stream};
use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use rayon::prelude::*;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a layer's weights start: torch's default, or zero where ADM zeroes a block's last layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Torch,
    Zero,
}

impl Start {
    fn init(self, fan_in: usize) -> Init {
        match self {
            Start::Zero => Init::Const(0.0),
            Start::Torch => {
                let bound = 1.0 / (fan_in as f64).sqrt();
                Init::Uniform {
                    lo: -bound,
                    up: bound,
                }
            }
        }
    }
}

/// A square convolution: weight [out, in, k, k] and bias `[out]`, in the type of the builder, which is the input's.
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    padding: usize,
    /// The weight as it lies best where channels lie last, turned around when that is first asked for.
    turned: OnceLock<Tensor>,
}

/// The pixels that a convolution sees at a time, an odd number a side, and how far it moves between them.
#[derive(Clone, Copy)]
pub struct Window {
    side: usize,
    stride: usize,
}

impl Window {
    pub const ONE: Window = Window { side: 1, stride: 1 };
    pub const THREE: Window = Window { side: 3, stride: 1 };
    /// Three pixels a side; the map comes out half as large.
    pub const HALVING: Window = Window { side: 3, stride: 2 };
}

impl Conv2d {
    /// Padded so that stride 1 keeps the size.
    pub fn new(
        cin: usize,
        cout: usize,
        window: Window,
        start: Start,
        vb: VarBuilder,
    ) -> Result<Self> {
        let k = window.side;
        let fan_in = cin * k * k;
        let weight = vb.get_with_hints((cout, cin, k, k), "weight", start.init(fan_in))?;
        let bias = vb.get_with_hints(cout, "bias", start.init(fan_in))?;
        Ok(Self {
            weight,
            bias,
            stride: window.stride,
            padding: k / 2,
            turned: OnceLock::new(),
        })
    }

    /// x [n, in, h, w] → [n, out, h', w'].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight_for(x)?;
        conv::conv2d(x, weight, Some(&self.bias), self.stride, self.padding)
    }

    /// `more` [n, out, h', w'] plus the convolution of x.
    pub fn forward_plus(&self, more: &Tensor, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight_for(x)?;
        conv::conv2d_plus(more, (x, weight), &self.bias, self.stride, self.padding)
    }

    fn weight_for(&self, x: &Tensor) -> Result<&Tensor> {
        // One that is trained is another one at the next call.
        if self.weight.track_op() || !conv::channels_last(x, &self.weight) {
            return Ok(&self.weight);
        }
        if let Some(turned) = self.turned.get() {
            return Ok(turned);
        }
        let turned = conv::turned(&self.weight)?;
        Ok(self.turned.get_or_init(|| turned))
    }
}

/// A convolution of kernel 1 over tokens, stored as torch's Conv1d: weight [out, in, 1], bias `[out]`.
pub struct Pointwise {
    weight: Tensor,
    bias: Tensor,
}

impl Pointwise {
    pub fn new(cin: usize, cout: usize, start: Start, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints((cout, cin, 1), "weight", start.init(cin))?;
        let bias = vb.get_with_hints(cout, "bias", start.init(cin))?;
        Ok(Self { weight, bias })
    }

    /// x [n, in, l] or [n, in, h, w] → [n, out, l] or [n, out, h, w].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.rank() == 4 {
            return conv::conv2d(x, &self.weight, Some(&self.bias), 1, 0);
        }
        let y = conv::conv2d(&x.unsqueeze(3)?, &self.weight, Some(&self.bias), 1, 0)?;
        y.squeeze(3)
    }

    /// `more` [n, out, h, w] plus what [`Pointwise::forward`] makes of x [n, in, h, w].
    pub fn forward_plus(&self, more: &Tensor, x: &Tensor) -> Result<Tensor> {
        conv::conv2d_plus(more, (x, &self.weight), &self.bias, 1, 0)
    }
}

/// weight [out, in], bias `[out]`, in f32 whatever the other layers of the net are in.
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub fn new(cin: usize, cout: usize, start: Start, vb: VarBuilder) -> Result<Self> {
        let (init, f32) = (start.init(cin), DType::F32);
        let weight = vb.get_with_hints_dtype((cout, cin), "weight", init, f32)?;
        let bias = vb.get_with_hints_dtype(cout, "bias", init, f32)?;
        Ok(Self { weight, bias })
    }

    /// x [n, in] → [n, out].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        product::linear(x, &self.weight, Some(&self.bias))
    }
}

/// GroupNorm with eps 1e-5, with weights in f32 and computed in f32; the result has the type of its input.
pub struct GroupNorm {
    groups: usize,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    /// `channels` in `groups` equal groups.
    pub fn new(channels: usize, groups: usize, vb: VarBuilder) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            bail!(
                "group normalisation needs channels in {groups} groups, and {channels} do not divide"
            )
        }
        let f32 = DType::F32;
        let weight = vb.get_with_hints_dtype(channels, "weight", Init::Const(1.0), f32)?;
        let bias = vb.get_with_hints_dtype(channels, "bias", Init::Const(0.0), f32)?;
        Ok(Self {
            groups,
            weight,
            bias,
        })
    }

    /// x [n, c, ..] normalised.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        group_norm(
            x,
            self.groups,
            &self.weight,
            &self.bias,
            None,
            Activation::None,
        )
    }

    /// SiLU of the normalised x.
    pub fn silu(&self, x: &Tensor) -> Result<Tensor> {
        group_norm(
            x,
            self.groups,
            &self.weight,
            &self.bias,
            None,
            Activation::Silu,
        )
    }

    /// SiLU of GN(x) * (1 + scale) + shift, of [n, 2c] with the scales before the shifts: AdaGN (arXiv:2105.05233, section 3).
    pub fn adaptive_silu(&self, x: &Tensor, adaptive: &Tensor) -> Result<Tensor> {
        group_norm(
            x,
            self.groups,
            &self.weight,
            &self.bias,
            Some(adaptive),
            Activation::Silu,
        )
    }
}

/// The angular frequencies of `dim` sinusoids, 1 down to 1/10,000: [1, dim / 2] f32.
pub fn frequencies(dim: usize, device: &Device) -> Result<Tensor> {
    let half = dim / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|k| (-(10000f32.ln()) * k as f32 / half as f32).exp())
        .collect();
    Tensor::from_vec(frequencies, (1, half), device)
}

/// Sinusoids of t `[n]` f32 (may be fractional) → [n, dim]: cosines first, of these [`frequencies`] (arXiv:1706.03762,
/// section 3.5, in the release's order).
pub fn timestep_embedding(t: &Tensor, frequencies: &Tensor, dim: usize) -> Result<Tensor> {
    let angles = t
        .to_dtype(DType::F32)?
        .unsqueeze(1)?
        .broadcast_mul(frequencies)?;
    let waves = Tensor::cat(&[angles.cos()?, angles.sin()?], 1)?;
    match dim % 2 {
        0 => Ok(waves),
        _ => waves.pad_with_zeros(1, 0, 1),
    }
}

/// Values of a mask that one task draws.
const CHUNK: usize = 1 << 14;

/// Dropout whose masks are a pure function of (seed, step, layer, place in the batch), so that a resumed run sees the same
/// ones, and so does an image that goes through the net with fewer others.
pub struct Dropout {
    p: f64,
    seed: u64,
    step: u64,
    /// Images of the batch before those that are asked for.
    before: usize,
    layer: AtomicU64,
}

impl Dropout {
    pub fn new(p: f64, seed: u64, step: u64) -> Self {
        Self {
            p,
            seed,
            step,
            before: 0,
            layer: AtomicU64::new(0),
        }
    }

    /// The masks of the images that come after the first `before` of the batch.
    pub fn after(self, before: usize) -> Self {
        Self { before, ..self }
    }

    /// The next layer's mask alone, for a block that calculates more than once: each of its [`Dropout::again`] has it.
    pub fn reserve(&self) -> Self {
        let layer = self.layer.fetch_add(1, Ordering::Relaxed);
        Self {
            layer: AtomicU64::new(layer),
            ..*self
        }
    }

    /// The same, with the layers still to come.
    pub fn again(&self) -> Self {
        let layer = self.layer.load(Ordering::Relaxed);
        Self {
            layer: AtomicU64::new(layer),
            ..*self
        }
    }

    /// Zeroes a share p of x [n, ..] and scales the rest by 1 / (1 - p); layers are told apart by the order of the calls.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.p <= 0.0 {
            return Ok(x.clone());
        }
        let layer = self.layer.fetch_add(1, Ordering::Relaxed);
        let mut purpose = [0; 16];
        purpose[..7].copy_from_slice(b"dropout");
        purpose[8..].copy_from_slice(&layer.to_le_bytes());
        let rng = stream(self.seed, purpose, self.step, 0);
        let keep = (1.0 / (1.0 - self.p)) as f32;
        let limit = (self.p * 4294967296.0) as u64;
        let mut mask = vec![0f32; x.elem_count()];
        let first = self.before * (mask.len() / x.dim(0)?.max(1));
        mask.par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(i, mask)| {
                // A word a value: each task starts at the word of its first value.
                let mut rng = rng.clone();
                rng.set_word_pos((first + i * CHUNK) as u128);
                for value in mask {
                    if u64::from(rng.next_u32()) >= limit {
                        *value = keep;
                    }
                }
            });
        let mask = Tensor::from_vec(mask, x.shape(), &Device::Cpu)?.to_device(x.device())?;
        // A half would round 1 / (1 - p), and all that is kept with it, one way.
        cast(&masked(&cast(x, DType::F32)?, &mask)?, x.dtype())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_one_stream_however_many_tasks_draw_it() -> Result<()> {
        let (p, n) = (0.25, 3 * CHUNK + 5);
        let x = Tensor::ones(n, DType::F32, &Device::Cpu)?;
        let dropout = Dropout::new(p, 7, 11);
        dropout.forward(&x)?;
        let mask = dropout.forward(&x)?.to_vec1::<f32>()?;
        let mut rng = stream(7, b"dropout\0\x01", 11, 0);
        for (i, value) in mask.iter().enumerate() {
            let kept = rng.next_u32() >= 1 << 30;
            assert_eq!(*value, if kept { 4.0 / 3.0 } else { 0.0 }, "value {i}");
        }
        Ok(())
    }

    #[test]
    fn an_image_has_its_mask_however_many_go_through_the_net_with_it() -> Result<()> {
        let (x, p) = (Tensor::ones((5, 3, 7, 7), DType::F32, &Device::Cpu)?, 0.25);
        let mask = |x: &Tensor, before| {
            let dropout = Dropout::new(p, 7, 11).after(before);
            dropout.forward(x)?.flatten_all()?.to_vec1::<f32>()
        };
        let whole = mask(&x, 0)?;
        let parts = [mask(&x.narrow(0, 0, 2)?, 0)?, mask(&x.narrow(0, 2, 3)?, 2)?];
        assert_eq!(parts.concat(), whole);
        Ok(())
    }
}
