//! Self-attention (arXiv:1706.03762, section 3.2) over the pixels of a feature map, and the classifier's attention pool.

use crate::experiment::nets::arch::{QkvOrder, Trunk};
use crate::kernels::attention::map::values;
use crate::kernels::attention::qkv::{Order, qkv_attention};
use crate::nets::adm::layers::{GroupNorm, Pointwise, Start};
use crate::nets::attention::{Attention, Mixed};
use candle_core::{Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

/// Heads of a block of `channels`: by channels per head where given, else the count.
pub fn heads(channels: usize, heads: usize, per_head: Option<usize>) -> Result<usize> {
    let (heads, left) = match per_head {
        Some(0) => bail!("channels_per_head = 0; at least 1 is needed"),
        Some(per) => (channels / per, channels % per),
        None if heads == 0 => bail!("heads = 0; at least 1 is needed"),
        None => (heads, channels % heads),
    };
    if left != 0 || heads == 0 {
        match per_head {
            Some(per) => bail!(
                "channels_per_head = {per} does not divide the {channels} channels of an attention block"
            ),
            None => bail!(
                "heads = {heads} does not divide the {channels} channels of an attention block"
            ),
        }
    }
    Ok(heads)
}

/// out = x + proj_out(attention(qkv(norm(x)))).
pub struct AttentionBlock {
    /// As in a checkpoint, from the root.
    name: String,
    norm: GroupNorm,
    qkv: Pointwise,
    proj_out: Pointwise,
    heads: usize,
    order: QkvOrder,
}

impl AttentionBlock {
    /// `name` below `root`, the net's own; `heads` divide `channels`; all else by the trunk's rules.
    pub fn new(
        trunk: &Trunk,
        channels: usize,
        heads: usize,
        name: &str,
        root: &VarBuilder,
    ) -> Result<Self> {
        let vb = root.pp(name);
        Ok(Self {
            name: name.to_string(),
            norm: GroupNorm::new(channels, trunk.norm_groups, vb.pp("norm"))?,
            qkv: Pointwise::new(channels, 3 * channels, Start::Torch, vb.pp("qkv"))?,
            proj_out: Pointwise::new(channels, channels, Start::Zero, vb.pp("proj_out"))?,
            heads,
            order: trunk.qkv_order,
        })
    }

    /// x [n, c, h, w] → the same shape.
    pub fn forward(&self, x: &Tensor, asked: Option<Attention>) -> Result<Tensor> {
        let qkv = self.qkv.forward(&self.norm.forward(x)?)?;
        let order = match self.order {
            QkvOrder::Legacy => Order::ByHead,
            QkvOrder::New => Order::ByPart,
        };
        let (_, _, height, width) = x.dims4()?;
        if let Some(asked) = asked {
            asked.show(&self.name, || Mixed {
                qkv: qkv.detach(),
                heads: self.heads,
                order,
                height,
                width,
            });
        }
        let mixed = if asked.is_some_and(|asked| asked.is_identity(&self.name)) {
            values(&qkv, self.heads, order)?
        } else {
            qkv_attention(&qkv, self.heads, order)?
        };
        self.proj_out.forward_plus(x, &mixed)
    }
}

/// Sizes of an [`AttentionPool`].
#[derive(Clone, Copy)]
pub struct PoolShape {
    /// Pixels a side of the maps that it pools.
    pub side: usize,
    pub channels: usize,
    pub heads: usize,
    /// Outputs.
    pub classes: usize,
}

/// The classifier's pool: attention from the mean token over all pixels (as CLIP's, arXiv:2103.00020, section 2.4).
pub struct AttentionPool {
    positional_embedding: Tensor,
    qkv_proj: Pointwise,
    c_proj: Pointwise,
    heads: usize,
}

impl AttentionPool {
    pub fn new(shape: PoolShape, vb: VarBuilder) -> Result<Self> {
        let PoolShape {
            side,
            channels,
            heads,
            classes,
        } = shape;
        let stdev = 1.0 / (channels as f64).sqrt();
        let init = Init::Randn { mean: 0.0, stdev };
        Ok(Self {
            positional_embedding: vb.get_with_hints(
                (channels, side * side + 1),
                "positional_embedding",
                init,
            )?,
            qkv_proj: Pointwise::new(channels, 3 * channels, Start::Torch, vb.pp("qkv_proj"))?,
            c_proj: Pointwise::new(channels, classes, Start::Torch, vb.pp("c_proj"))?,
            heads,
        })
    }

    /// x [n, c, side, side] → [n, classes].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let tokens = x.flatten_from(2)?;
        let (places, made_for) = (tokens.dim(2)?, self.positional_embedding.dim(1)? - 1);
        if places != made_for {
            bail!(
                "the attention pool has {made_for} places and the images make {places}\nhint: a classifier with this pool takes images of its own resolution only"
            );
        }
        let tokens = Tensor::cat(&[&tokens.mean_keepdim(2)?, &tokens], 2)?;
        let tokens = tokens.broadcast_add(&self.positional_embedding.unsqueeze(0)?)?;
        let mixed = qkv_attention(&self.qkv_proj.forward(&tokens)?, self.heads, Order::ByPart)?;
        // The pooled vector is the mean token's output alone.
        self.c_proj
            .forward(&mixed.narrow(2, 0, 1)?.contiguous()?)?
            .squeeze(2)
    }
}
