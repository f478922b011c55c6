//! The devices that a program is given for itself, locked as long as any of its processes lives.

use crate::process::device_lock::Locks;
use std::os::fd::BorrowedFd;

/// Devices of this machine, each locked against every other process of this user.
#[derive(Debug, Default)]
pub struct Granted {
    /// `cpu`, `cuda:0`, and for a card what CUDA knows it by (`0`, `GPU-6f1c...`).
    pub devices: Vec<(String, Option<String>)>,
    pub locks: Vec<Locks>,
}

impl Granted {
    /// `cpu`, `cuda:0`.
    pub fn names(&self) -> Vec<String> {
        self.devices.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The cards, as `CUDA_VISIBLE_DEVICES` wants them.
    pub fn cards(&self) -> Vec<String> {
        self.devices
            .iter()
            .filter_map(|(_, card)| card.clone())
            .collect()
    }

    /// The locks' descriptors, for processes to inherit.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.locks.iter().flat_map(Locks::descriptors).collect()
    }
}
