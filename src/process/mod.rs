//! Somebody else's program, run safely: what it may see, what it says, that nothing of it stays behind, and that no two of
//! them have one device at once. Knows no job. The second room that reads the environment, which it passes on.

pub mod command;
pub mod device_lock;
pub mod environment;
mod family;
pub mod gpus;
pub mod orphan;
mod output;
mod start;
mod system;
pub mod table;
