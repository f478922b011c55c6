//! Pictures in an array: `arr_0` of an npz batch with labels in `arr_1`, or an npy file. Read row by row.

use crate::data::container::refusal::{self, Sizes};
use crate::io::image::file::Rgb8;
use crate::io::numpy::labels::Labels;
use crate::io::numpy::npy::Header;
use crate::io::numpy::npz::Npz;
use crate::io::numpy::rows::Rows;
use anyhow::{Result, anyhow, bail, ensure};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// An open batch.
pub(crate) struct Batch {
    n: usize,
    h: usize,
    w: usize,
    /// Rows of the array that make a picture: one, or, where the array is a single picture, its lines.
    lines: usize,
    rows: Rows,
    labels: Labels,
}

impl Batch {
    /// Opens `arr_0` and, where it is there, `arr_1` of an npz archive. Labels that are not read are no error here.
    pub fn npz(path: &Path) -> Result<Batch> {
        let mut npz = Npz::open(path)?;
        if !npz.has("arr_0") {
            bail!(no_images(path, &npz.names()));
        }
        let sizes = npz.entry("arr_0", |header, from| {
            refusal::sizes("`arr_0`", header, from)
        })?;
        let mut batch = Batch::of(Rows::npz(path, "arr_0")?, sizes);
        batch.labels = Labels::read(&mut npz, "arr_1", batch.n);
        Ok(batch)
    }

    /// Opens an npy file.
    pub fn npy(path: &Path) -> Result<Batch> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut from = BufReader::new(file);
        let header = Header::read(&mut from)?;
        let needed = (header.length as u64).checked_add(header.bytes() as u64);
        ensure!(
            needed.is_some_and(|needed| needed <= length),
            "{:?} of {} take {} bytes, it has {}\nhint: the file may be truncated",
            header.shape,
            header.dtype(),
            header.bytes(),
            length.saturating_sub(header.length as u64)
        );
        let sizes = refusal::sizes("the array", &header, &mut from)?;
        Ok(Batch::of(Rows::npy(path)?, sizes))
    }

    fn of(rows: Rows, (n, h, w): Sizes) -> Batch {
        Batch {
            n,
            h,
            w,
            lines: if rows.shape().len() == 3 { h } else { 1 },
            rows,
            labels: Labels::Absent,
        }
    }

    pub fn len(&self) -> usize {
        self.n
    }

    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    pub fn label(&self, i: usize) -> Option<u32> {
        match &self.labels {
            Labels::Read { labels, .. } => Some(labels[i]),
            Labels::Absent | Labels::Unread(_) => None,
        }
    }

    /// The labels' own numbers as names, up to the largest, or as many as there are classes; none without labels.
    ///
    /// # Errors
    /// Labels that are there and not read.
    pub fn classes(&self) -> Result<Vec<String>> {
        let many = match &self.labels {
            Labels::Absent => 0,
            Labels::Read {
                classes: Some(many),
                ..
            } => *many,
            Labels::Read { labels, .. } => labels.iter().max().map_or(0, |&most| most as usize + 1),
            Labels::Unread(why) => {
                return Err(anyhow!(
                    "{why}\nhint: save labels as whole numbers from 0 up, one a picture: `arr_1=y.astype(\"int64\")`; or leave `arr_1` out"
                ));
            }
        };
        Ok((0..many).map(|k| k.to_string()).collect())
    }

    pub fn read(&self, i: usize) -> Result<Rgb8> {
        let mut data = Vec::with_capacity(self.h * self.w * 3);
        for line in 0..self.lines {
            data.extend(self.rows.read(i * self.lines + line)?);
        }
        let (w, h) = (self.w, self.h);
        Ok(Rgb8 { w, h, data })
    }
}

/// What an npz without `arr_0` holds instead, and how its images get that name.
fn no_images(path: &Path, names: &[String]) -> String {
    let has = names.join("`, `");
    let known = ["images", "samples", "x", "data", "fake", "imgs"];
    let likely = known
        .into_iter()
        .find(|name| names.iter().any(|n| n == name));
    let cure = match (names, likely) {
        _ if ["mu", "sigma"]
            .iter()
            .all(|n| names.iter().any(|own| own == n)) =>
        {
            "these are statistics of images, which can be a reference but not samples".to_string()
        }
        ([only], None) => save(path, only),
        (_, Some(name)) => save(path, name),
        _ => return format!("it has no array `arr_0` of pictures, it has `{has}`"),
    };
    format!("it has no array `arr_0` of pictures, it has `{has}`\nhint: {cure}")
}

fn save(path: &Path, name: &str) -> String {
    format!(
        "where `{name}` holds them: `np.savez(\"new.npz\", arr_0=np.load(\"{}\")[\"{name}\"])`",
        path.display()
    )
}
