//! Who works on what. A worker keeps a file of its own warm in the store; its leases, each a file made exclusively, name
//! it, and are taken over once it is gone.

pub mod holder;
pub mod living;
pub mod presence;
pub mod record;
