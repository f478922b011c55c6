//! Files of `torch.save`, in both containers.

pub(crate) mod file;
pub(crate) mod legacy;
pub(crate) mod opened;
pub(crate) mod state_dict;
pub(crate) mod zip;
