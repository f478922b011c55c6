//! The devices that a program is given for itself, locked as long as any of its processes lives.

use crate::process::device_lock::Locks;
use std::fs::File;

/// Devices of this machine, each locked against every other process of this user.
#[derive(Debug, Default)]
pub struct Granted {
    pub devices: Vec<Device>,
    pub locks: Vec<Locks>,
}

/// A device that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `cpu`, `cuda:0`.
    pub name: String,
    /// What CUDA_VISIBLE_DEVICES names a card by (`0`, `GPU-6f1c...`); none for the CPU.
    pub card: Option<String>,
}

impl Granted {
    /// `cpu`, `cuda:0`.
    pub fn names(&self) -> Vec<String> {
        let names = self.devices.iter().map(|device| device.name.clone());
        names.collect()
    }

    /// The cards, as CUDA_VISIBLE_DEVICES wants them.
    pub fn cards(&self) -> Vec<String> {
        let cards = self.devices.iter().filter_map(|device| device.card.clone());
        cards.collect()
    }

    /// The locks, for processes to inherit.
    pub fn files(&self) -> Vec<&File> {
        self.locks.iter().flat_map(Locks::files).collect()
    }
}
