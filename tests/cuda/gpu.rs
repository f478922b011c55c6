//! The device that the GPU's tests share, and how far what it made is off.

use crate::support::golden::{distance, values};
use candle_core::{Device, Tensor};
use fidrunner::run::device::named::devices;
use std::sync::OnceLock;

/// The first CUDA device.
pub fn gpu() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || {
        devices(Some("cuda:0"))
            .expect("these tests need a CUDA device")
            .remove(0)
            .device
    };
    DEVICE.get_or_init(open).clone()
}

/// Of the largest value of `want`.
pub fn off(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.dims(), want.dims());
    distance(&values(got), &values(want)).unwrap_or_else(|e| panic!("{e}"))
}
