//! The ADM UNet (arXiv:2105.05233, section 3), and the super-resolution net, which is the same net shown a small image beside
//! the noise (arXiv:2102.09672 and arXiv:2104.07636).

use crate::experiment::nets::arch::{Answer, UnetArch};
use crate::kernels::embedding::{rows, silu};
use crate::kernels::gradients::cast::cast;
use crate::kernels::gradients::record::seam;
use crate::kernels::pairs::{join, sum};
use crate::machine::profile::{Operation, span};
use crate::nets::adm::labels::Labels;
use crate::nets::adm::layers::{Conv2d, Dropout, GroupNorm, Start, Window};
use crate::nets::adm::resblock::Resample;
use crate::nets::adm::resize::{Filter, resize};
use crate::nets::adm::trunk::{Asked, Builder, Encoder, Layer, TimeEmbedding, run};
use crate::nets::denoiser::{Conditions, Denoiser};
use candle_core::{DType, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

pub struct Unet {
    time_embed: TimeEmbedding,
    /// [classes, 4M], and a row more for the null class.
    label_emb: Option<Tensor>,
    labels: Labels,
    encoder: Encoder,
    output_blocks: Vec<Vec<Layer>>,
    norm: GroupNorm,
    head: Conv2d,
    /// Pixels a side.
    resolution: usize,
    classes: Option<usize>,
    null_class: Option<u32>,
    answer: Answer,
}

impl Unet {
    /// The convolutions of the blocks are in the type of `vb`, all else in f32: with f16 as ADM's `convert_to_fp16` does it,
    /// except that a normalisation's affine maps and SiLU are rounded once, at their end.
    pub fn new(arch: &UnetArch, vb: VarBuilder) -> Result<Self> {
        Self::with_stem(arch, arch.trunk.in_channels, vb)
    }

    fn with_stem(arch: &UnetArch, in_channels: usize, vb: VarBuilder) -> Result<Self> {
        let trunk = &arch.trunk;
        let f32 = vb.to_dtype(DType::F32);
        let time_embed = TimeEmbedding::new(trunk.channels, f32.clone())?;
        let label_emb = match arch.classes {
            None => None,
            Some(0) => bail!("classes = 0; a class-conditional net needs at least 1"),
            Some(classes) => {
                let rows = classes + usize::from(arch.null_class);
                let init = Init::Randn {
                    mean: 0.0,
                    stdev: 1.0,
                };
                Some(f32.get_with_hints((rows, 4 * trunk.channels), "label_emb.weight", init)?)
            }
        };
        let encoder = Encoder::new(
            &Builder {
                trunk,
                heads: trunk.heads,
            },
            in_channels,
            vb.clone(),
        )?;
        let up = Builder {
            trunk,
            heads: arch.heads_up.unwrap_or(trunk.heads),
        };
        let (output_blocks, channels) = decoder(&up, &encoder, &vb)?;
        let out_channels = match arch.answer() {
            Answer::Mean => trunk.in_channels,
            Answer::MeanAndVariance => 2 * trunk.in_channels,
        };
        Ok(Self {
            time_embed,
            label_emb,
            labels: Labels::default(),
            encoder,
            output_blocks,
            norm: GroupNorm::new(channels, trunk.norm_groups, f32.pp("out.0"))?,
            head: Conv2d::new(
                channels,
                out_channels,
                Window::THREE,
                Start::Zero,
                f32.pp("out.2"),
            )?,
            resolution: trunk.resolution,
            classes: arch.classes,
            null_class: arch.null_label(),
            answer: arch.answer(),
        })
    }

    /// x [n, c, h, w], t `[n]` f32 on the original clock, y `[n]` u32 for a class-conditional net
    /// → the noise (or x0), and with a learned variance its part, [n, c or 2c, h, w] of x's type.
    pub fn forward(
        &self,
        x: &Tensor,
        t: &Tensor,
        y: Option<&Tensor>,
        dropout: Option<&Dropout>,
    ) -> Result<Tensor> {
        let asked = Asked {
            dropout,
            ..Asked::default()
        };
        self.ask(x, t, y, asked)
    }

    fn ask(&self, x: &Tensor, t: &Tensor, y: Option<&Tensor>, asked: Asked) -> Result<Tensor> {
        let n = self.encoder.check(x, t)?;
        let _span = span(Operation::Unet);
        let emb = self.time_embed.forward(t)?;
        let emb = match (&self.label_emb, y) {
            (Some(table), Some(y)) => {
                let labels = self.labels.of(y, n, table.dim(0)?)?;
                sum(&emb, &rows(table, &labels)?)?
            }
            (None, None) => emb,
            (Some(_), None) => {
                bail!("a class-conditional net was given no labels\nhint: ask for classes")
            }
            (None, Some(_)) => bail!("an unconditional net was given labels"),
        };
        self.decode(x, emb, asked)
    }

    /// The same with the class embedding left out.
    fn ask_without_class(&self, x: &Tensor, t: &Tensor, asked: Asked) -> Result<Tensor> {
        self.encoder.check(x, t)?;
        self.decode(x, self.time_embed.forward(t)?, asked)
    }

    /// The answer to x under the embedding of its time and class.
    fn decode(&self, x: &Tensor, emb: Tensor, asked: Asked) -> Result<Tensor> {
        // Every block applies SiLU to the embedding first: once is enough.
        let emb = silu(&emb)?;
        let (mut skips, mut h) = self.encoder.forward(x, &emb, asked)?;
        for block in &self.output_blocks {
            let Some(skip) = skips.pop() else {
                bail!("more output blocks than skips")
            };
            h = run(block, &join(&h, &skip)?, &emb, asked)?;
        }
        let answer = self.head.forward(&self.norm.silu(&cast(&h, x.dtype())?)?)?;
        seam(&answer)
    }
}

impl Denoiser for Unet {
    fn denoise(&self, x: &Tensor, t: &Tensor, given: &Conditions) -> Result<Tensor> {
        if given.low.is_some() {
            bail!("a unet was given small images to enlarge");
        }
        let asked = asked(given);
        if given.without_class {
            return self.ask_without_class(x, t, asked);
        }
        self.ask(x, t, given.labels, asked)
    }

    fn resolution(&self) -> usize {
        self.resolution
    }

    fn null_class(&self) -> Option<u32> {
        self.null_class
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    fn low_resolution(&self) -> Option<usize> {
        None
    }

    fn answer(&self) -> Answer {
        self.answer
    }
}

/// What is asked of the blocks.
fn asked<'a>(given: &Conditions<'a>) -> Asked<'a> {
    Asked {
        dropout: given.dropout,
        activations: given.activations,
        attention: given.attention,
    }
}

/// `output_blocks` and their last width.
fn decoder(
    builder: &Builder,
    encoder: &Encoder,
    root: &VarBuilder,
) -> Result<(Vec<Vec<Layer>>, usize)> {
    let mut skips = encoder.widths.clone();
    let (mut channels, mut factor) = (encoder.channels(), encoder.factor);
    let mut blocks = Vec::new();
    for level in (0..builder.trunk.channel_mult.len()).rev() {
        for i in 0..=builder.trunk.res_blocks {
            let vb = root.pp("output_blocks").pp(blocks.len());
            let skip = skips.pop().unwrap_or(0);
            let width = builder.width(level);
            let mut block =
                vec![builder.res(channels + skip, width, Resample::Keep, vb.pp("0"))?];
            channels = width;
            if builder.attends(factor) {
                let name = format!("output_blocks.{}.{}", blocks.len(), block.len());
                block.push(builder.attention(channels, &name, root)?);
            }
            if level > 0 && i == builder.trunk.res_blocks {
                block.push(builder.up(channels, vb.pp(block.len()))?);
                factor /= 2;
            }
            blocks.push(block);
        }
    }
    Ok((blocks, channels))
}

pub struct SuperRes {
    unet: Unet,
    /// Pixels a side of the small images.
    low_resolution: Option<usize>,
}

impl SuperRes {
    pub fn new(arch: &UnetArch, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            unet: Unet::with_stem(arch, 2 * arch.trunk.in_channels, vb)?,
            low_resolution: arch.low_resolution,
        })
    }

    /// As `Unet::forward`, with `low` [n, c, s, s] in [-1, 1] enlarged to x's size and put behind it.
    pub fn forward(
        &self,
        x: &Tensor,
        t: &Tensor,
        low: &Tensor,
        y: Option<&Tensor>,
        dropout: Option<&Dropout>,
    ) -> Result<Tensor> {
        let asked = Asked {
            dropout,
            ..Asked::default()
        };
        self.ask((x, low), t, y, asked)
    }

    fn ask(
        &self,
        (x, low): (&Tensor, &Tensor),
        t: &Tensor,
        y: Option<&Tensor>,
        asked: Asked,
    ) -> Result<Tensor> {
        let (n, c, h, w) = x.dims4()?;
        if (low.dim(0)?, low.dim(1)?) != (n, c) {
            bail!(
                "{n} images of {c} channels need as many small ones, and those are {:?}",
                low.dims()
            );
        }
        let large = resize(&low.detach(), h, w, Filter::Bilinear)?;
        self.unet.ask(&Tensor::cat(&[x, &large], 1)?, t, y, asked)
    }
}

impl Denoiser for SuperRes {
    fn denoise(&self, x: &Tensor, t: &Tensor, given: &Conditions) -> Result<Tensor> {
        let Some(low) = given.low else {
            bail!("a super-resolution net was given no small images")
        };
        if given.without_class {
            bail!("a super-resolution net is not asked without its class");
        }
        self.ask((x, low), t, given.labels, asked(given))
    }

    fn null_class(&self) -> Option<u32> {
        self.unet.null_class
    }

    fn resolution(&self) -> usize {
        self.unet.resolution
    }

    fn classes(&self) -> Option<usize> {
        self.unet.classes
    }

    fn low_resolution(&self) -> Option<usize> {
        self.low_resolution
    }

    fn answer(&self) -> Answer {
        self.unet.answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::nets::arch::Arch;
    use crate::experiment::nets::presets;
    use crate::kernels::gradients::record::recording;
    use candle_core::Device;
    use candle_nn::VarMap;

    #[test]
    fn nothing_of_a_net_that_is_trained_is_left_to_candle() -> Result<()> {
        for adagn in [true, false] {
            let Some((Arch::Unet(mut arch), _)) = presets::arch("shapes16") else {
                bail!("a preset of a UNet")
            };
            arch.trunk.adagn = adagn;
            let weights = VarMap::new();
            for dtype in [DType::F32, DType::BF16] {
                let vb = VarBuilder::from_varmap(&weights, dtype, &Device::Cpu);
                let net = Unet::new(&arch, vb.pp(format!("{dtype:?}")))?;
                let x = Tensor::zeros((2, 3, 16, 16), DType::F32, &Device::Cpu)?;
                let t = Tensor::new(&[3f32, 900.0], &Device::Cpu)?;
                let y = Tensor::new(&[1u32, 0], &Device::Cpu)?;
                let dropout = Dropout::new(0.1, 1, 1);
                let asked = || net.forward(&x, &t, Some(&y), Some(&dropout));
                let (answer, record) = recording(asked);
                assert!(answer?.is_variable(), "it ends at a seam");
                assert_eq!(record.left_to_candle(), 0, "AdaGN {adagn}, {dtype:?}");
            }
        }
        Ok(())
    }
}
