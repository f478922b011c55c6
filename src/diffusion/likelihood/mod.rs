//! The variational bound in bits per dimension.

pub mod bpd;
pub mod terms;
