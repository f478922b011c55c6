//! What is to be made: each job with the key of its result, what it reads and what it costs. A plan is made anywhere: nothing here calculates.

pub mod context;
pub mod external;
pub mod features;
pub mod files;
pub mod granted;
pub mod inputs;
pub mod job;
pub mod metrics;
pub mod net;
pub mod of_cell;
pub mod sample;
pub mod sharing;
pub mod stage;
pub mod train;
pub mod upsample;
