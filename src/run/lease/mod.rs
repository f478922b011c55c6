//! Who works on what: leases of results and of their parts, and the workers that hold them.

pub mod entry;
pub mod record;
