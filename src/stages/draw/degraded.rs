//! The sampled net's own answer made worse by way of its attention: what two rules of guidance lead away from.

use crate::diffusion::guidance::blur::Gaussian;
use crate::diffusion::guidance::rule::Point;
use crate::diffusion::guidance::self_attention::{as_of, degraded};
use crate::experiment::file::drawing::rules::{Blur, Method, Rule};
use crate::experiment::nets::arch::Arch;
use crate::nets::attention::{Attention, Probe};
use crate::nets::inventory;
use anyhow::{Result, bail, ensure};
use candle_core::Tensor;

/// How the answer is made worse.
pub enum Degraded {
    /// The maps of these blocks are the identity ("Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance",
    /// arXiv:2403.17377).
    Perturbed(Vec<String>),
    /// The image is blurred where this block attends to it (arXiv:2210.00939).
    Blurred { block: String, blur: Gaussian },
}

/// (x [n, c, h, w], t `[n]`, what is asked of the attention) → the sampled net's answer [n, c or 2c, h, w].
pub type Asking<'a> =
    dyn Fn(&Tensor, &Tensor, Option<Attention>) -> candle_core::Result<Tensor> + 'a;

impl Degraded {
    /// How `rule` does it with a net of `arch`; none for rules of another kind.
    ///
    /// # Errors
    /// A block that is not an attention block of the net, and a kernel that is too large for its images.
    pub fn of(rule: &Rule, arch: &Arch) -> Result<Option<Self>> {
        if !rule.method.by_attention() {
            return Ok(None);
        }
        let known = inventory::attention_blocks(arch)?;
        ensure!(
            !known.is_empty(),
            "guidance by attention needs a net with attention blocks, and a {} has none\nhint: set another guidance.method",
            arch.title()
        );
        let mut blocks = rule.blocks();
        if let Some(block) = blocks.iter().find(|block| !known.contains(block)) {
            let names: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
            bail!(
                "guidance.blocks: \"{block}\" is not an attention block of the net\nhint: it has {}",
                names.join(", ")
            )
        }
        if rule.method == Method::PerturbedAttention {
            return Ok(Some(Degraded::Perturbed(blocks)));
        }
        let block = blocks.remove(0);
        let blur = gaussian(rule.blur, arch.resolution())?;
        Ok(Some(Degraded::Blurred { block, blur }))
    }

    /// What the net is to keep of its first answers, for one batch.
    pub fn probe(&self) -> Option<Probe> {
        match self {
            Degraded::Perturbed(_) => None,
            Degraded::Blurred { block, .. } => Some(Probe::new(block.clone())),
        }
    }

    /// The second answer at `point`, [n, c or 2c, h, w]; `first` [n, c or 2c, h, w] f32 is the net's own, whose attention
    /// `probe` kept.
    ///
    /// # Errors
    /// Those of the net, and a map that was not kept.
    pub fn answer(
        &self,
        point: &Point,
        first: &Tensor,
        probe: Option<&Probe>,
        ask: &Asking,
    ) -> candle_core::Result<Tensor> {
        let blur = match self {
            Degraded::Perturbed(blocks) => {
                return ask(point.x, point.t, Some(Attention::Identity(blocks)));
            }
            Degraded::Blurred { blur, .. } => *blur,
        };
        let Some(probe) = probe else {
            candle_core::bail!("the net's attention was not kept")
        };
        let x = degraded(point, first, &probe.received()?, blur)?;
        let answer = ask(&x, point.t, None)?;
        as_of(point, &x, &answer)
    }
}

/// The blur for images of `side` pixels.
fn gaussian(asked: Blur, side: usize) -> Result<Gaussian> {
    let most = 2 * side - 1;
    // The paper's at 128 pixels.
    let sigma = asked.sigma.unwrap_or(3.0 * side as f64 / 128.0);
    let five = 2 * (5.0 * sigma).ceil().min(side as f64) as usize + 1;
    let kernel = asked.kernel.unwrap_or(five.min(most));
    ensure!(
        kernel <= most,
        "guidance.blur.kernel = {kernel} is too wide for images of {side} pixels, which an edge mirrors once; 1 to {most} are allowed\nhint: leave it out"
    );
    Ok(Gaussian { kernel, sigma })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blur_is_the_papers_at_128_pixels_and_fits_small_images() {
        let silent = Blur::default();
        let of = |blur: Blur, side: usize| gaussian(blur, side).unwrap();
        let (kernel, sigma) = (31, 3.0);
        assert_eq!(of(silent, 128), Gaussian { kernel, sigma });
        let (kernel, sigma) = (5, 0.375);
        assert_eq!(of(silent, 16), Gaussian { kernel, sigma });
        let wide = Blur {
            sigma: Some(9.0),
            kernel: None,
        };
        assert_eq!(of(wide, 256).kernel, 91);
        assert_eq!(of(wide, 16).kernel, 31);
        let wide = Blur {
            sigma: None,
            kernel: Some(33),
        };
        let told = gaussian(wide, 16).unwrap_err().to_string();
        assert!(told.contains("1 to 31 are allowed"), "{told}");
    }
}
