//! Weights and tensors to tensors; knows no diffusion and opens no file.
