//! The one floor where nets meet diffusion and files meet tensors.
