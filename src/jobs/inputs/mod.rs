//! What a job reads, looked at before it runs: files by their digests, cards of checkpoints, references, class names.

pub(crate) mod classes;
pub mod pinned;
pub(crate) mod upsampler;
