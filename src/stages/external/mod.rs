//! Other people's programs, run, and their images, taken into the store.

pub mod adopt;
pub mod call;
pub mod collect;
pub mod labels;
pub mod measure;
pub mod record;
pub mod redraw;
pub mod sample;
pub mod sampling;
pub mod take;
pub mod train;
