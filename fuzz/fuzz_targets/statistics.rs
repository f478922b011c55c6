//! Files of statistics: pickles, npz archives and torch files, and a pickle within a good torch archive.
#![no_main]

use runner_fuzz::io::statistics::{self, Statistics};
use runner_fuzz::{file, zipped};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    if bytes.starts_with(b"\x80") {
        read(&zipped(&[("x/data.pkl", bytes), ("x/data/0", &[7; 96])]));
    }
});

fn read(bytes: &[u8]) {
    let path = file(bytes);
    for key in [None, Some("fd_dinov2")] {
        if let Ok(found) = Statistics::read_key(&path, key) {
            assert_eq!(found.sigma.len(), found.mu.len().pow(2));
        }
    }
    let _ = statistics::features(&path);
}
