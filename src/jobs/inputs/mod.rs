//! What a job reads, looked at before it runs: files by their digests, cards of checkpoints, references, class names, which
//! of a training's weights.

pub mod averages;
pub mod card;
pub mod classes;
pub mod distilled;
pub mod pinned;
pub mod reference_file;
pub mod training_steps;
pub mod upsampler;
