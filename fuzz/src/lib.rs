//! What the targets share: bytes as a file, and a checkpoint read to its last tensor.

/// The program's readers, compiled here without the rooms above them, which takes minutes less.
#[path = "../../src/io/mod.rs"]
pub mod io;
#[path = "../../src/machine"]
pub mod machine {
    pub mod cores;
}

use crate::io::checkpoint::Checkpoint;
use candle_core::Device;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// The bytes as this process's one file, in memory where the system has such a folder.
pub fn file(bytes: &[u8]) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let path = folder.join(format!("runner-fuzz-{}", std::process::id()));
    std::fs::write(&path, bytes).expect("a file that can be written");
    path
}

/// Opens the bytes as a checkpoint, whole and under a key, and reads every tensor.
pub fn checkpoint(bytes: &[u8]) {
    let path = file(bytes);
    for key in [None, Some("state_dict"), Some("a.0")] {
        let Ok(checkpoint) = Checkpoint::open_key(&path, key) else {
            continue;
        };
        let names: Vec<String> = checkpoint.names().map(String::from).collect();
        // Many views of one storage are read one by one, never together.
        for name in names.iter().take(64) {
            let read = checkpoint.tensor(name, &Device::Cpu);
            let shape = &checkpoint.shapes()[name];
            assert!(read.is_err() || read.is_ok_and(|t| t.dims() == shape));
        }
    }
}

/// A good zip archive of these entries, as they are.
pub fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(*name, stored).expect("a good name");
        zip.write_all(bytes).expect("room in memory");
    }
    zip.finish().expect("a good archive").into_inner()
}
