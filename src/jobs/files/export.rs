//! A stored batch of images as guided-diffusion's scripts write one: a single npz.

use crate::io::numpy::image_batch;
use crate::io::numpy::npz::Npz;
use crate::io::numpy::rows::Rows;
use crate::jobs::files::parts;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Writes images 0..count of the stored batch in `folder` to `out`, atomically and a row at a time: `arr_0` u8
/// [n, h, w, 3], `arr_1` int64 `[n]` the labels, uncompressed. These are the names that `np.savez` gives. Returns [n, h, w, 3].
///
/// # Errors
/// Where a part is missing, or the parts hold images of several sizes.
pub fn export(folder: &Path, count: u64, out: &Path) -> Result<[usize; 4]> {
    let parts = parts::covering(&parts::present(folder, "images")?, count)?;
    let (mut size, mut labels) = (None, Vec::new());
    for (part, take) in &parts {
        let path = part.path.display();
        let mut npz = Npz::open(&part.path)?;
        let [n, h, w, 3] = npz.header("arr_0")?.shape[..] else {
            bail!("{path} holds no images [n, h, w, 3]");
        };
        let all = npz.i64("arr_1")?.data;
        ensure!(
            all.len() == n && n >= take.end,
            "{path} holds {n} images and {} labels",
            all.len()
        );
        let (had_h, had_w) = *size.get_or_insert((h, w));
        ensure!(
            (h, w) == (had_h, had_w),
            "{path} holds images of {w} by {h}, the parts before it of {had_w} by {had_h}"
        );
        labels.extend_from_slice(&all[take.clone()]);
    }
    let (h, w) = size.context("there are no images")?;
    let shape = [labels.len(), h, w, 3];
    let fill = |out: &mut dyn std::io::Write| {
        for (part, take) in parts {
            let rows = Rows::npz(&part.path, "arr_0")?;
            for row in take {
                out.write_all(&rows.read(row)?)?;
            }
        }
        Ok(())
    };
    image_batch::write(out, shape, Some(labels), fill)?;
    Ok(shape)
}
