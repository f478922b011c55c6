//! The feature net of worlds that Inception does not know: a small residual net over images of one size.

use crate::experiment::nets::arch::FeatureArch;
use crate::kernels::gradients::record::seam;
use crate::kernels::pairs::sum;
use crate::kernels::resample::avg_pool2;
use crate::machine::profile::{Operation, span};
use crate::nets::adm::layers::{Conv2d, GroupNorm, Linear, Start, Window};
use crate::nets::adm::resize::{Filter, resize};
use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

/// Images that are described at once; without effect on the features.
pub const BATCH: usize = 64;
/// Groups of every group normalisation.
const GROUPS: usize = 32;
/// Grid of the spatial features, and of the last stage.
const GRID: usize = 4;

/// What the net sees in n images.
pub struct Features {
    /// [n, pool]: what Fréchet distance, precision and recall are measured in.
    pub pool: Tensor,
    /// [n, 16 * spatial].
    pub spatial: Tensor,
    /// [n, classes].
    pub logits: Tensor,
    /// [n, attributes].
    pub attributes: Tensor,
}

/// norm → SiLU → 3x3 twice, beside a 1x1 where the width changes.
struct Block {
    norm1: GroupNorm,
    conv1: Conv2d,
    norm2: GroupNorm,
    conv2: Conv2d,
    skip: Option<Conv2d>,
}

impl Block {
    fn new(cin: usize, cout: usize, vb: VarBuilder) -> Result<Self> {
        let skip = if cin == cout {
            None
        } else {
            Some(Conv2d::new(
                cin,
                cout,
                Window::ONE,
                Start::Torch,
                vb.pp("skip"),
            )?)
        };
        Ok(Self {
            norm1: GroupNorm::new(cin, GROUPS, vb.pp("norm1"))?,
            conv1: Conv2d::new(cin, cout, Window::THREE, Start::Torch, vb.pp("conv1"))?,
            norm2: GroupNorm::new(cout, GROUPS, vb.pp("norm2"))?,
            conv2: Conv2d::new(cout, cout, Window::THREE, Start::Zero, vb.pp("conv2"))?,
            skip,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.conv1.forward(&self.norm1.silu(x)?)?;
        let h = self.conv2.forward(&self.norm2.silu(&h)?)?;
        match &self.skip {
            Some(skip) => sum(&skip.forward(x)?, &h),
            None => sum(x, &h),
        }
    }
}

pub struct FeatureNet {
    resolution: usize,
    stem: Conv2d,
    blocks: Vec<Block>,
    norm: GroupNorm,
    to_spatial: Conv2d,
    to_pool: Linear,
    to_class: Linear,
    to_attributes: Linear,
}

impl FeatureNet {
    pub fn new(arch: &FeatureArch, vb: VarBuilder) -> Result<Self> {
        let stages = (arch.resolution / GRID).checked_ilog2().unwrap_or(0) as usize;
        if stages == 0 || GRID << stages != arch.resolution {
            bail!(
                "a feature net's resolution is {GRID} times a power of two, not {}",
                arch.resolution
            );
        }
        for (name, size) in [
            ("pool", arch.pool),
            ("spatial", arch.spatial),
            ("classes", arch.classes),
            ("attributes", arch.attributes),
        ] {
            if size == 0 {
                bail!("{name} = 0; a feature net needs at least 1");
            }
        }
        let widths: Vec<usize> = (0..stages).map(|s| arch.channels << s.min(2)).collect();
        let stem = Conv2d::new(3, widths[0], Window::HALVING, Start::Torch, vb.pp("stem"))?;
        let mut blocks = Vec::new();
        let mut channels = widths[0];
        for (stage, &width) in widths.iter().enumerate() {
            blocks.push(Block::new(
                channels,
                width,
                vb.pp(format!("blocks.{stage}")),
            )?);
            channels = width;
        }
        Ok(Self {
            resolution: arch.resolution,
            stem,
            blocks,
            norm: GroupNorm::new(channels, GROUPS, vb.pp("norm"))?,
            to_spatial: Conv2d::new(
                channels,
                arch.spatial,
                Window::ONE,
                Start::Torch,
                vb.pp("spatial"),
            )?,
            to_pool: Linear::new(channels, arch.pool, Start::Torch, vb.pp("pool"))?,
            to_class: Linear::new(
                arch.pool + GRID * GRID * arch.spatial,
                arch.classes,
                Start::Torch,
                vb.pp("class"),
            )?,
            to_attributes: Linear::new(
                arch.pool + GRID * GRID * arch.spatial,
                arch.attributes,
                Start::Torch,
                vb.pp("attributes"),
            )?,
        })
    }

    /// x [n, 3, side, side] in [-1, 1], of any side.
    pub fn forward(&self, x: &Tensor) -> Result<Features> {
        let _span = span(Operation::FeatureNet);
        let mut h = self.stem.forward(&self.resize(x)?)?;
        for (i, block) in self.blocks.iter().enumerate() {
            if i > 0 {
                h = avg_pool2(&h)?;
            }
            h = block.forward(&h)?;
        }
        let h = seam(&self.norm.silu(&h)?)?;
        let spatial = self.to_spatial.forward(&h)?.flatten_from(1)?;
        let pool = self.to_pool.forward(&h.flatten_from(2)?.mean(2)?)?.silu()?;
        // The class and the attributes are read from both kinds of features, so that training reaches both.
        let both = Tensor::cat(&[&pool, &spatial.silu()?], 1)?;
        let (logits, attributes) = (
            self.to_class.forward(&both)?,
            self.to_attributes.forward(&both)?,
        );
        Ok(Features {
            pool,
            spatial,
            logits,
            attributes,
        })
    }

    /// Bilinear for smaller images, the mean over areas for larger ones: neither aliases.
    fn resize(&self, x: &Tensor) -> Result<Tensor> {
        let (_, c, h, w) = x.dims4()?;
        if c != 3 || h != w {
            bail!("feature nets take square images of 3 channels, not {c} of {h} by {w}");
        }
        let filter = if h > self.resolution {
            Filter::Area
        } else {
            Filter::Bilinear
        };
        resize(&x.detach(), self.resolution, self.resolution, filter)
    }
}
