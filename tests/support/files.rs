//! Small files as other programs write them, and the words with which one is refused.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use zip::CompressionMethod;

/// The whole message of an error, cause by cause.
pub fn refusal<T>(result: anyhow::Result<T>) -> String {
    format!("{:#}", result.err().expect("an error"))
}

/// A file that another program wrote, of those in the repository.
pub fn stranger(name: &str) -> PathBuf {
    super::program::repository("tests/strangers_files").join(name)
}

/// An npy file with this text as its header.
pub fn npy_of_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// An npy file; `descr` and `shape` as Python writes them, `fortran` where columns come first.
pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    npy_of_header(&header, data)
}

/// A zip of one file, whose bytes are `parts`, one behind the other.
pub fn zip_in_parts(
    path: &Path,
    method: CompressionMethod,
    name: &str,
    parts: impl IntoIterator<Item = Vec<u8>>,
) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file(name, options.compression_method(method))
        .unwrap();
    for part in parts {
        zip.write_all(&part).unwrap();
    }
    zip.finish().unwrap();
}

/// A zip of named files.
pub fn zip_of<N: AsRef<str>, B: AsRef<[u8]>>(
    path: &Path,
    method: CompressionMethod,
    files: impl IntoIterator<Item = (N, B)>,
) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in files {
        zip.start_file(name.as_ref(), options).unwrap();
        zip.write_all(bytes.as_ref()).unwrap();
    }
    zip.finish().unwrap();
}

/// A tar of named files.
pub fn tar_of<N: AsRef<Path>, B: AsRef<[u8]>>(
    path: &Path,
    files: impl IntoIterator<Item = (N, B)>,
) {
    let mut tar = tar::Builder::new(File::create(path).unwrap());
    for (name, bytes) in files {
        let bytes = bytes.as_ref();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    tar.finish().unwrap();
}

/// The names of all entries of a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// FNV-1a of 64 bits.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    fnv1a_on(bytes, 0xcbf2_9ce4_8422_2325)
}

/// FNV-1a of what has the digest `before`, followed by these bytes.
pub fn fnv1a_on(bytes: &[u8], before: u64) -> u64 {
    bytes.iter().fold(before, |h, &b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}
