//! What a net is: architectures, presets by name, and how a file and a checkpoint settle one.

pub mod arch;
pub mod multiplications;
pub mod presets;
pub mod resolve;
