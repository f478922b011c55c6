//! Torch's zip container and TorchScript: whole archives, and a pickle within a good one, past the archive's checksums.
#![no_main]

use runner_fuzz::{checkpoint, zipped};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"PK") { checkpoint(bytes) } else { checkpoint(&zipped(&[("x/data.pkl", bytes), ("x/data/0", &[7; 96])])) }
});
