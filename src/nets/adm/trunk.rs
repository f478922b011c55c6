//! What the UNet and the classifier share: the time embedding, the way down, the middle.

use crate::experiment::nets::arch::Trunk;
use crate::kernels::embedding::silu;
use crate::kernels::gradients::checkpoint::{Activations, Part, checkpointed};
use crate::kernels::resample::{avg_pool2, upsample2};
use crate::nets::adm::attention::{AttentionBlock, heads};
use crate::nets::adm::layers::{
    Conv2d, Dropout, Linear, Start, Window, frequencies, timestep_embedding,
};
use crate::nets::adm::resblock::{ResBlock, Resample};
use crate::nets::attention::Attention;
use candle_core::{DType, Result, Tensor, bail};
use candle_nn::VarBuilder;
use std::sync::Arc;

/// One numbered child of a block.
pub enum Layer {
    Conv(Conv2d),
    Res(Arc<ResBlock>),
    Attention(Arc<AttentionBlock>),
    /// Plain down: a strided convolution, or the 2x2 mean.
    Down(Option<Conv2d>),
    /// Plain up: nearest, then a convolution if learned.
    Up(Option<Conv2d>),
}

/// What is asked of the blocks of a net beside their answer.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    /// While training.
    pub dropout: Option<&'a Dropout>,
    /// While training: of residual and attention blocks.
    pub activations: Activations,
    pub attention: Option<Attention<'a>>,
}

/// A residual block that calculates again for its gradients, with the same mask.
struct AgainRes {
    block: Arc<ResBlock>,
    dropout: Option<Dropout>,
}

impl Part for AgainRes {
    fn forward(&self, x: &Tensor, emb: &Tensor) -> Result<Tensor> {
        let dropout = self.dropout.as_ref().map(Dropout::again);
        self.block.forward(x, emb, dropout.as_ref())
    }
}

/// An attention block that calculates again for its gradients.
struct AgainAttention(Arc<AttentionBlock>);

impl Part for AgainAttention {
    fn forward(&self, x: &Tensor, _: &Tensor) -> Result<Tensor> {
        self.0.forward(x, None)
    }
}

impl Layer {
    fn forward(&self, x: &Tensor, emb: &Tensor, asked: Asked) -> Result<Tensor> {
        let again = asked.activations == Activations::Recomputed;
        match self {
            Layer::Res(block) if again => {
                let part = AgainRes {
                    block: block.clone(),
                    dropout: asked.dropout.map(Dropout::reserve),
                };
                checkpointed(part, x, emb)
            }
            Layer::Attention(block) if again && asked.attention.is_none() => {
                checkpointed(AgainAttention(block.clone()), x, emb)
            }
            Layer::Conv(conv) => conv.forward(x),
            Layer::Res(block) => block.forward(x, emb, asked.dropout),
            Layer::Attention(block) => block.forward(x, asked.attention),
            Layer::Down(Some(conv)) => conv.forward(x),
            Layer::Down(None) => avg_pool2(x),
            Layer::Up(conv) => {
                let x = upsample2(x)?;
                conv.as_ref().map_or(Ok(x.clone()), |conv| conv.forward(&x))
            }
        }
    }
}

/// Runs the layers of one block in order.
pub fn run(block: &[Layer], x: &Tensor, emb: &Tensor, asked: Asked) -> Result<Tensor> {
    block
        .iter()
        .try_fold(x.clone(), |x, layer| layer.forward(&x, emb, asked))
}

/// The embedding of t: `time_embed`.
pub struct TimeEmbedding {
    width: usize,
    /// On the net's device, where they are wanted at every evaluation.
    frequencies: Tensor,
    first: Linear,
    second: Linear,
}

impl TimeEmbedding {
    pub fn new(width: usize, vb: VarBuilder) -> Result<Self> {
        let vb = vb.pp("time_embed");
        Ok(Self {
            width,
            frequencies: frequencies(width, vb.device())?,
            first: Linear::new(width, 4 * width, Start::Torch, vb.pp("0"))?,
            second: Linear::new(4 * width, 4 * width, Start::Torch, vb.pp("2"))?,
        })
    }

    /// t `[n]` → [n, 4M].
    pub fn forward(&self, t: &Tensor) -> Result<Tensor> {
        let waves = timestep_embedding(t, &self.frequencies, self.width)?;
        self.second.forward(&silu(&self.first.forward(&waves)?)?)
    }
}

/// Builds blocks by the trunk's rules.
pub struct Builder<'a> {
    pub trunk: &'a Trunk,
    pub heads: usize,
}

impl Builder<'_> {
    /// Does a level at this factor of halving carry attention?
    pub fn attends(&self, factor: usize) -> bool {
        self.trunk
            .attention
            .contains(&(self.trunk.resolution / factor))
    }

    pub fn width(&self, level: usize) -> usize {
        (self.trunk.channel_mult[level] * self.trunk.channels as f64) as usize
    }

    /// The block of this name below `root`.
    pub fn attention(&self, channels: usize, name: &str, root: &VarBuilder) -> Result<Layer> {
        let heads = heads(channels, self.heads, self.trunk.channels_per_head)?;
        Ok(Layer::Attention(Arc::new(AttentionBlock::new(
            self.trunk, channels, heads, name, root,
        )?)))
    }

    pub fn res(
        &self,
        cin: usize,
        cout: usize,
        resample: Resample,
        vb: VarBuilder,
    ) -> Result<Layer> {
        Ok(Layer::Res(Arc::new(ResBlock::new(
            self.trunk, cin, cout, resample, vb,
        )?)))
    }

    fn down(&self, channels: usize, vb: VarBuilder) -> Result<Layer> {
        if self.trunk.updown {
            return self.res(channels, channels, Resample::Down, vb);
        }
        let conv = if self.trunk.conv_resample {
            Some(Conv2d::new(
                channels,
                channels,
                Window::HALVING,
                Start::Torch,
                vb.pp("op"),
            )?)
        } else {
            None
        };
        Ok(Layer::Down(conv))
    }

    pub fn up(&self, channels: usize, vb: VarBuilder) -> Result<Layer> {
        if self.trunk.updown {
            return self.res(channels, channels, Resample::Up, vb);
        }
        let conv = if self.trunk.conv_resample {
            Some(Conv2d::new(
                channels,
                channels,
                Window::THREE,
                Start::Torch,
                vb.pp("conv"),
            )?)
        } else {
            None
        };
        Ok(Layer::Up(conv))
    }
}

/// `input_blocks` and `middle_block`.
pub struct Encoder {
    input_blocks: Vec<Vec<Layer>>,
    middle_block: Vec<Layer>,
    /// Output width of every input block.
    pub widths: Vec<usize>,
    /// Factor of halving at the bottom.
    pub factor: usize,
    in_channels: usize,
    /// Of the weights of its convolutions, and of what flows between them.
    dtype: DType,
}

impl Encoder {
    pub fn new(builder: &Builder, in_channels: usize, vb: VarBuilder) -> Result<Self> {
        let trunk = builder.trunk;
        check(trunk)?;
        let blocks = vb.pp("input_blocks");
        let mut channels = builder.width(0);
        let stem = Conv2d::new(
            in_channels,
            channels,
            Window::THREE,
            Start::Torch,
            blocks.pp("0.0"),
        )?;
        let mut input_blocks = vec![vec![Layer::Conv(stem)]];
        let mut widths = vec![channels];
        let mut factor = 1;
        for level in 0..trunk.channel_mult.len() {
            for _ in 0..trunk.res_blocks {
                let at = input_blocks.len();
                let width = builder.width(level);
                let first = blocks.pp(at).pp("0");
                let mut block = vec![builder.res(channels, width, Resample::Keep, first)?];
                channels = width;
                if builder.attends(factor) {
                    let name = format!("input_blocks.{at}.1");
                    block.push(builder.attention(channels, &name, &vb)?);
                }
                input_blocks.push(block);
                widths.push(channels);
            }
            if level + 1 < trunk.channel_mult.len() {
                let vb = blocks.pp(input_blocks.len());
                input_blocks.push(vec![builder.down(channels, vb.pp("0"))?]);
                widths.push(channels);
                factor *= 2;
            }
        }
        let middle = vb.pp("middle_block");
        let middle_block = vec![
            builder.res(channels, channels, Resample::Keep, middle.pp("0"))?,
            builder.attention(channels, "middle_block.1", &vb)?,
            builder.res(channels, channels, Resample::Keep, middle.pp("2"))?,
        ];
        Ok(Self {
            input_blocks,
            middle_block,
            widths,
            factor,
            in_channels,
            dtype: vb.dtype(),
        })
    }

    /// Width of the middle.
    pub fn channels(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// The number of images in x [n, c, h, w], once they and t `[n]` fit the net.
    pub fn check(&self, x: &Tensor, t: &Tensor) -> Result<usize> {
        let ((n, c, h, w), factor) = (x.dims4()?, self.factor);
        if c != self.in_channels || h * w == 0 || h % factor != 0 || w % factor != 0 {
            bail!(
                "the net takes [n, {}, h, w] with sides divisible by {factor}, not {:?}",
                self.in_channels,
                x.dims()
            )
        }
        if t.dims() != [n] {
            bail!(
                "{n} images need {n} timesteps, and those are {:?}",
                t.dims()
            )
        }
        Ok(n)
    }

    /// x [n, c, h, w], emb [n, 4M] f32 through SiLU → the output of every input block, and the middle's, in the type of
    /// the convolutions.
    pub fn forward(&self, x: &Tensor, emb: &Tensor, asked: Asked) -> Result<(Vec<Tensor>, Tensor)> {
        let mut outputs = Vec::with_capacity(self.input_blocks.len());
        let mut h = x.to_dtype(self.dtype)?;
        for block in &self.input_blocks {
            h = run(block, &h, emb, asked)?;
            outputs.push(h.clone());
        }
        let middle = run(&self.middle_block, &h, emb, asked)?;
        Ok((outputs, middle))
    }
}

/// What no net can be built of.
fn check(trunk: &Trunk) -> Result<()> {
    if trunk.channel_mult.is_empty() {
        bail!("channel_mult = []; at least one level is needed");
    }
    for (name, value) in [
        ("in_channels", trunk.in_channels),
        ("res_blocks", trunk.res_blocks),
    ] {
        if !(1..=1024).contains(&value) {
            bail!("{name} = {value} is outside 1..=1024");
        }
    }
    let groups = trunk.norm_groups;
    if groups == 0 {
        bail!("norm_groups = 0; group normalisation needs at least 1");
    }
    for &mult in &trunk.channel_mult {
        let width = mult * trunk.channels as f64;
        if !(width >= groups as f64 && width <= 65536.0 && (width as usize).is_multiple_of(groups))
        {
            bail!(
                "channels = {} times {mult} is {width}; every level needs a multiple of {groups}, the groups of its normalisation",
                trunk.channels
            );
        }
    }
    let halvings = trunk.channel_mult.len() - 1;
    if halvings > 16 || trunk.resolution == 0 || !trunk.resolution.is_multiple_of(1 << halvings) {
        bail!(
            "resolution = {} cannot be halved {halvings} times, as {} levels need",
            trunk.resolution,
            halvings + 1
        );
    }
    // A grid above or below the net's has no effect, as in the release; one between two levels is a mistake.
    for &pixels in &trunk.attention {
        let halved = (0..usize::BITS).any(|k| trunk.resolution >> k == pixels);
        if pixels == 0 || pixels < trunk.resolution && !halved {
            bail!(
                "attention = {pixels} pixels lies on no level; halving {} pixels leads past it",
                trunk.resolution
            );
        }
    }
    Ok(())
}
