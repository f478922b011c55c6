//! The residual block of ADM (arXiv:2105.05233, section 3): AdaGN or addition, BigGAN's up and down (arXiv:1809.11096),
//! optional 1/sqrt(2) rescaling (arXiv:2011.13456).

use crate::experiment::nets::arch::Trunk;
use crate::kernels::embedding;
use crate::kernels::gradients::cast::cast;
use crate::kernels::resample::{avg_pool2, upsample2};
use crate::nets::adm::layers::{Conv2d, Dropout, GroupNorm, Linear, Start, Window};
use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

/// What a block does to the grid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Resample {
    Keep,
    Up,
    Down,
}

impl Resample {
    fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Resample::Keep => Ok(x.clone()),
            Resample::Up => upsample2(x),
            Resample::Down => avg_pool2(x),
        }
    }
}

pub struct ResBlock {
    norm_in: GroupNorm,
    conv_in: Conv2d,
    emb: Linear,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    skip: Option<Conv2d>,
    resample: Resample,
    adagn: bool,
    rescale: bool,
}

impl ResBlock {
    /// cin → cout channels, with an embedding of four times the base width.
    pub fn new(
        trunk: &Trunk,
        cin: usize,
        cout: usize,
        resample: Resample,
        vb: VarBuilder,
    ) -> Result<Self> {
        let emb_width = if trunk.adagn { 2 * cout } else { cout };
        let (norm_in, conv_in) = (vb.pp("in_layers.0"), vb.pp("in_layers.2"));
        let (norm_out, conv_out) = (vb.pp("out_layers.0"), vb.pp("out_layers.3"));
        Ok(Self {
            norm_in: GroupNorm::new(cin, trunk.norm_groups, norm_in)?,
            conv_in: Conv2d::new(cin, cout, Window::THREE, Start::Torch, conv_in)?,
            emb: Linear::new(
                4 * trunk.channels,
                emb_width,
                Start::Torch,
                vb.pp("emb_layers.1"),
            )?,
            norm_out: GroupNorm::new(cout, trunk.norm_groups, norm_out)?,
            conv_out: Conv2d::new(cout, cout, Window::THREE, Start::Zero, conv_out)?,
            skip: if cin == cout {
                None
            } else {
                let vb = vb.pp("skip_connection");
                Some(Conv2d::new(cin, cout, Window::ONE, Start::Torch, vb)?)
            },
            resample,
            adagn: trunk.adagn,
            rescale: trunk.rescale_residual,
        })
    }

    /// x [n, cin, h, w], emb [n, 4M] f32 already through SiLU → [n, cout, h', w'] of x's type.
    pub fn forward(&self, x: &Tensor, emb: &Tensor, dropout: Option<&Dropout>) -> Result<Tensor> {
        let h = self.resample.apply(&self.norm_in.silu(x)?)?;
        let x = self.resample.apply(x)?;
        let h = self.conv_in.forward(&h)?;
        let e = self.emb.forward(emb)?;
        let h = if self.adagn {
            self.norm_out.adaptive_silu(&h, &e)?
        } else {
            self.norm_out.silu(&shifted(&h, &cast(&e, h.dtype())?)?)?
        };
        let h = match dropout {
            Some(dropout) => dropout.forward(&h)?,
            None => h,
        };
        let x = match &self.skip {
            Some(skip) => skip.forward(&x)?,
            None => x,
        };
        let both = self.conv_out.forward_plus(&x, &h)?;
        if self.rescale {
            both * std::f64::consts::FRAC_1_SQRT_2
        } else {
            Ok(both)
        }
    }
}

/// h [n, c, h, w] plus e [n, c], both of one type, which the result has. Where gradients are wanted, halves are added in f32,
/// of the same bits once they are rounded: the gradient of e is a sum over pixels, which halves would stop counting.
fn shifted(h: &Tensor, e: &Tensor) -> Result<Tensor> {
    if !h.track_op() {
        return h.broadcast_add(&e.unsqueeze(2)?.unsqueeze(3)?);
    }
    let (wide, e) = (cast(h, DType::F32)?, cast(e, DType::F32)?);
    cast(&embedding::shifted(&wide, &e)?, h.dtype())
}
