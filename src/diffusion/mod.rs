//! Schedules, posteriors, losses, samplers and guidance; a net is a function of a noisy image and its time here.
//!
//! Equations are numbered as in "Denoising Diffusion Probabilistic Models" (DDPM, arXiv:2006.11239), "Improved Denoising
//! Diffusion Probabilistic Models" (IDDPM, arXiv:2102.09672), "Denoising Diffusion Implicit Models" (DDIM,
//! arXiv:2010.02502) and "Diffusion Models Beat GANs on Image Synthesis" (ADM, arXiv:2105.05233). "The release" is ADM's
//! program, guided-diffusion.

pub mod guidance;
pub mod likelihood;
pub mod process;
pub mod random;
pub mod samplers;
pub mod training;
