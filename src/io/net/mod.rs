//! Downloads that go on where they were.

pub mod download;
pub(crate) mod http;
pub(crate) mod partial;
pub(crate) mod request;
