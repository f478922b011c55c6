//! NumPy arrays and archives: as numbers of every type, as moments, and row by row.
#![no_main]

use runner_fuzz::io::numpy::npz::Npz;
use runner_fuzz::io::numpy::rows::Rows;
use runner_fuzz::{file, zipped};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if !bytes.starts_with(b"PK") {
        rows(Rows::npy(&file(bytes)));
        archive(&zipped(&[("mu.npy", bytes), ("sigma.npy", bytes)]));
    }
    archive(bytes);
});

fn archive(bytes: &[u8]) {
    let path = file(bytes);
    let Ok(mut npz) = Npz::open(&path) else {
        return;
    };
    for name in npz.names().iter().take(16) {
        let _ = (npz.header(name), npz.f64(name), npz.f32(name));
        let _ = (npz.i64(name), npz.u8(name));
        rows(Rows::npz(&path, name));
    }
    let _ = npz.moments("mu", "sigma");
}

fn rows(rows: anyhow::Result<Rows>) {
    if let Ok(rows) = rows {
        let n = rows.shape()[0];
        for i in [n.wrapping_sub(1), 0, n / 2, n] {
            let _ = rows.read(i);
        }
    }
}
