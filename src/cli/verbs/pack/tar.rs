//! A packed set as a tar of PNGs, with labels as EDM's `dataset.json`, which every command here reads.

use crate::cli::verbs::pack::parts::Set;
use crate::io::disk::write_atomic;
use crate::io::image::file::encode_png;
use anyhow::Result;
use rayon::prelude::*;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use tar::{Builder, Header};

/// Writes `000000.png`, `000001.png`, .. and behind them `dataset.json`; the same images give the same bytes.
///
/// # Errors
/// Where an image cannot be read or the file not written.
pub fn write(set: &Set, labels: Option<&[u32]>, path: &Path) -> Result<()> {
    let digits = set.len().saturating_sub(1).to_string().len().max(6);
    let name = |i: usize| format!("{i:0digits$}.png");
    let (w, h) = set.size;
    write_atomic(path, |out| {
        let mut tar = Builder::new(out);
        let mut done = 0;
        set.each_part(|part| {
            let encoded = part.par_iter().map(|image| encode_png(&image.data, w, h));
            for png in encoded.collect::<Result<Vec<_>>>()? {
                append(&mut tar, &name(done), &png)?;
                done += 1;
            }
            Ok(())
        })?;
        if let Some(labels) = labels {
            let rows = labels.iter().enumerate();
            let rows: Vec<_> = rows.map(|(i, label)| json!([name(i), label])).collect();
            let table = serde_json::to_vec(&json!({ "labels": rows }))?;
            append(&mut tar, "dataset.json", &table)?;
        }
        Ok(tar.finish()?)
    })
}

fn append(tar: &mut Builder<&mut dyn Write>, name: &str, bytes: &[u8]) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    Ok(tar.append_data(&mut header, name, bytes)?)
}
