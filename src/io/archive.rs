//! Zip files that are the same for the same content: no times, no owners.

use anyhow::{Context, Result};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A zip file of these names and contents, in their order, deflated. The time of each is the zip format's first.
///
/// # Errors
/// A name that stands twice.
pub fn zip(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let adding = || format!("adding {name} to a zip file");
        zip.start_file(name.as_str(), options)
            .with_context(adding)?;
        zip.write_all(bytes).with_context(adding)?;
    }
    Ok(zip.finish()?.into_inner())
}
