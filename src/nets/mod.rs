//! Weights and tensors to tensors; knows no diffusion and opens no file.

pub mod adm;
pub mod denoiser;
pub mod features;
pub mod inception;
pub mod inventory;
pub mod open;
pub mod precision;
