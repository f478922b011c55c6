//! Nets by their architecture: the one place of this room that knows every family.

use crate::experiment::nets::arch::Arch;
use crate::nets::adm::classifier::Classifier;
use crate::nets::adm::unet::{SuperRes, Unet};
use crate::nets::denoiser::Denoiser;
use crate::nets::features::FeatureNet;
use candle_core::{DType, Result, bail};
use candle_nn::VarBuilder;

/// A net by what it is for.
pub enum Net {
    Denoiser(Box<dyn Denoiser>),
    Classifier(Classifier),
    Features(FeatureNet),
}

/// The net of `arch`, whose weights `vb` holds; where a net calculates in two types, its blocks take that of `vb`.
///
/// # Errors
/// Where no such net can be built, or `vb` has no such weights.
pub fn open(arch: &Arch, vb: VarBuilder) -> Result<Net> {
    Ok(match arch {
        Arch::Unet(arch) => Net::Denoiser(Box::new(Unet::new(arch, vb)?)),
        Arch::SuperRes(arch) => Net::Denoiser(Box::new(SuperRes::new(arch, vb)?)),
        Arch::Classifier(arch) => Net::Classifier(Classifier::new(arch, vb)?),
        Arch::Features(arch) => Net::Features(FeatureNet::new(arch, vb)?),
    })
}

/// The same for a net that is trained: whatever the type of `vb`, all that follows the blocks is in f32, and so is a loss.
///
/// # Errors
/// As [`open`].
pub fn open_trained(arch: &Arch, vb: VarBuilder) -> Result<Net> {
    match arch {
        Arch::Classifier(arch) => {
            let head = vb.to_dtype(DType::F32);
            Classifier::with_head(arch, vb, head).map(Net::Classifier)
        }
        Arch::Unet(_) | Arch::SuperRes(_) | Arch::Features(_) => open(arch, vb),
    }
}

/// As [`open`], where `arch` is a denoiser's.
///
/// # Errors
/// As [`open`], and for nets of other purposes.
pub fn denoiser(arch: &Arch, vb: VarBuilder) -> Result<Box<dyn Denoiser>> {
    match open(arch, vb)? {
        Net::Denoiser(net) => Ok(net),
        Net::Classifier(_) | Net::Features(_) => bail!("a {} does not denoise", arch.title()),
    }
}
