//! Where the time goes: spans of work and of waiting, nested by thread, with totals by operation. While no profile is
//! taken, a span costs one look at a flag.

mod clock;
pub mod operation;
pub mod recorder;
pub mod span;
mod track;

pub use operation::Operation;
pub use span::span;
