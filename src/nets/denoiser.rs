//! What every net is that predicts the noise in an image, or the image behind it, whatever its family.

use crate::experiment::nets::arch::Answer;
use crate::kernels::gradients::checkpoint::Activations;
use crate::nets::adm::layers::Dropout;
use crate::nets::attention::Attention;
use candle_core::{Result, Tensor};

/// What a denoiser is told beside the noisy images and their time.
#[derive(Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// `[n]` u32: for nets that know classes, and for no other.
    pub labels: Option<&'a Tensor>,
    /// A net that knows classes is asked without any: its class embedding is left out.
    pub without_class: bool,
    /// [n, c, s, s] in [-1, 1]: the small images of a super-resolution net, and of no other.
    pub low: Option<&'a Tensor>,
    /// While training.
    pub dropout: Option<&'a Dropout>,
    /// While training: those of its blocks.
    pub activations: Activations,
    /// For nets with attention blocks; the others pass it over.
    pub attention: Option<Attention<'a>>,
}

/// A net that answers what is in a noisy image.
pub trait Denoiser: Send + Sync {
    /// x [n, c, h, w], t `[n]` f32 on the original clock → [n, c or 2c, h, w] of x's type, as [`Denoiser::answer`] says.
    ///
    /// # Errors
    /// Where a shape does not fit, or a condition is missing or one too many.
    fn denoise(&self, x: &Tensor, t: &Tensor, given: &Conditions) -> Result<Tensor>;

    /// Pixels a side of the images that it was made for.
    fn resolution(&self) -> usize;

    /// How many classes it must be told apart, labels 0..k; none for an unconditional net.
    fn classes(&self) -> Option<usize>;

    /// The label that stands for no class, of a net that was trained with it.
    fn null_class(&self) -> Option<u32>;

    /// Pixels a side of the small images that it enlarges; none for a net that starts from noise alone.
    fn low_resolution(&self) -> Option<usize>;

    /// What the channels of its answer hold.
    fn answer(&self) -> Answer;
}
