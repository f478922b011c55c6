//! The noisy classifier (arXiv:2105.05233, section 4): the UNet's way down and middle under one of four pools.

use crate::experiment::nets::arch::{ClassifierArch, Pool};
use crate::kernels::embedding::silu;
use crate::kernels::gradients::cast::cast;
use crate::kernels::gradients::checkpoint::Activations;
use crate::kernels::gradients::record::seam;
use crate::machine::profile::{Operation, span};
use crate::nets::adm::attention::{AttentionPool, PoolShape, heads};
use crate::nets::adm::layers::{Conv2d, GroupNorm, Linear, Start, Window};
use crate::nets::adm::trunk::{Asked, Builder, Encoder, TimeEmbedding};
use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::{VarBuilder, ops};

/// Width of the spatial pools' hidden layer.
const HIDDEN: usize = 2048;

enum Head {
    Adaptive(GroupNorm, Conv2d),
    Attention(GroupNorm, AttentionPool),
    Spatial(Linear, Linear),
    SpatialV2(Linear, GroupNorm, Linear),
}

pub struct Classifier {
    time_embed: TimeEmbedding,
    encoder: Encoder,
    head: Head,
    /// What the head takes; spatial pools take f32 whatever it is.
    head_dtype: DType,
}

impl Classifier {
    /// The convolutions of the blocks and the head in the type of `vb`.
    pub fn new(arch: &ClassifierArch, vb: VarBuilder) -> Result<Self> {
        Self::with_head(arch, vb.clone(), vb)
    }

    /// The same, with the head by another builder: in f32, it is as ADM's `convert_to_fp16` leaves it.
    pub fn with_head(arch: &ClassifierArch, vb: VarBuilder, head: VarBuilder) -> Result<Self> {
        let trunk = &arch.trunk;
        if arch.classes == 0 {
            bail!("classes = 0; a classifier needs at least 1");
        }
        let time_embed = TimeEmbedding::new(trunk.channels, vb.clone())?;
        let encoder = Encoder::new(
            &Builder {
                trunk,
                heads: trunk.heads,
            },
            trunk.in_channels,
            vb.clone(),
        )?;
        let (channels, head_dtype) = (encoder.channels(), head.dtype());
        let vb = head.pp("out");
        let features = encoder.widths.iter().sum::<usize>() + channels;
        let head = match arch.pool {
            Pool::Adaptive => {
                let norm = GroupNorm::new(channels, trunk.norm_groups, vb.pp("0"))?;
                let zero = Start::Zero;
                Head::Adaptive(
                    norm,
                    Conv2d::new(channels, arch.classes, Window::ONE, zero, vb.pp("3"))?,
                )
            }
            Pool::Attention => {
                if trunk.channels_per_head.is_none() {
                    bail!("pool = \"attention\" needs channels_per_head");
                }
                let heads = heads(channels, trunk.heads, trunk.channels_per_head)?;
                let shape = PoolShape {
                    side: trunk.resolution / encoder.factor,
                    channels,
                    heads,
                    classes: arch.classes,
                };
                let norm = GroupNorm::new(channels, trunk.norm_groups, vb.pp("0"))?;
                Head::Attention(norm, AttentionPool::new(shape, vb.pp("2"))?)
            }
            Pool::Spatial => Head::Spatial(
                Linear::new(features, HIDDEN, Start::Torch, vb.pp("0"))?,
                Linear::new(HIDDEN, arch.classes, Start::Torch, vb.pp("2"))?,
            ),
            Pool::SpatialV2 => Head::SpatialV2(
                Linear::new(features, HIDDEN, Start::Torch, vb.pp("0"))?,
                GroupNorm::new(HIDDEN, trunk.norm_groups, vb.pp("1"))?,
                Linear::new(HIDDEN, arch.classes, Start::Torch, vb.pp("3"))?,
            ),
        };
        Ok(Self {
            time_embed,
            encoder,
            head,
            head_dtype,
        })
    }

    /// x [n, c, h, w] noised to t `[n]` f32 on the original clock → [n, classes].
    pub fn logits(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        self.ask(x, t, Asked::default())
    }

    fn ask(&self, x: &Tensor, t: &Tensor, asked: Asked) -> Result<Tensor> {
        let _span = span(Operation::Classifier);
        self.encoder.check(x, t)?;
        let emb = silu(&self.time_embed.forward(t)?)?;
        let (outputs, middle) = self.encoder.forward(x, &emb, asked)?;
        // The spatial pools read every block's output: there is no one place where the trunk ends.
        let middle = match &self.head {
            Head::Adaptive(..) | Head::Attention(..) => seam(&cast(&middle, self.head_dtype)?)?,
            Head::Spatial(..) | Head::SpatialV2(..) => middle,
        };
        match &self.head {
            Head::Adaptive(norm, conv) => {
                let pooled = norm
                    .silu(&middle)?
                    .flatten_from(2)?
                    .mean_keepdim(2)?
                    .unsqueeze(3)?;
                conv.forward(&pooled)?.flatten_from(1)
            }
            Head::Attention(norm, pool) => pool.forward(&norm.silu(&middle)?),
            Head::Spatial(first, second) => {
                second.forward(&first.forward(&spatial_means(outputs, middle)?)?.relu()?)
            }
            Head::SpatialV2(first, norm, second) => {
                let h = first
                    .forward(&spatial_means(outputs, middle)?)?
                    .unsqueeze(2)?;
                second.forward(&norm.silu(&h)?.squeeze(2)?)
            }
        }
    }

    /// ln p(class | x, t), [n, classes].
    pub fn log_probs(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        self.log_probs_with(x, t, Activations::Kept)
    }

    /// The same, with the blocks' activations kept for gradients or calculated again.
    pub fn log_probs_with(
        &self,
        x: &Tensor,
        t: &Tensor,
        activations: Activations,
    ) -> Result<Tensor> {
        let asked = Asked {
            activations,
            ..Asked::default()
        };
        ops::log_softmax(&self.ask(x, t, asked)?, D::Minus1)
    }
}

/// The mean over the grid of every block's output, in f32 as ADM takes it → [n, sum of widths].
fn spatial_means(mut outputs: Vec<Tensor>, middle: Tensor) -> Result<Tensor> {
    outputs.push(middle);
    let means = outputs
        .iter()
        .map(|h| h.to_dtype(DType::F32)?.flatten_from(2)?.mean(2))
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&means, 1)
}
