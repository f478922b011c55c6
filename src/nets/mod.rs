//! Weights and tensors to tensors; knows no diffusion and opens no file.
//!
//! A family of denoisers is a folder or file here that implements `denoiser::Denoiser`, an arm of `open::open`, and a variant
//! of `Arch`.

pub mod adm;
pub mod attention;
pub mod denoiser;
pub mod features;
pub mod inception;
pub mod inventory;
pub mod open;
pub mod precision;
