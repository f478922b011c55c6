//! Two-dimensional convolution on the CPU: Winograd for 3x3 of stride 1, direct for everything else, and both gradients.

mod direct;
mod formats;
pub(crate) mod layout;
pub mod op;
mod pointwise;
mod store;
mod transforms;
mod weight_grad;
mod weights;
mod winograd;

pub use formats::{channels_last, turned};
pub use op::{Conv2d, conv2d, conv2d_plus};
