//! What jobs cost on a device where nothing like them has run: passes through nets, counted by shapes and timed by a probe.

pub mod probe;
pub mod rates;
pub mod ready;
pub mod work;
