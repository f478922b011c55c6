//! The rows of a byte array in an npz or npy file, read one by one from any thread: a batch of any size takes little memory.

use crate::io::numpy::inflate::{Inflated, Recent};
use crate::io::numpy::npy::{Header, Layout};
use crate::io::numpy::npz::Npz;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use zip::CompressionMethod;

/// Bytes of first-index-fastest rows that are turned at a time.
const PANEL: usize = 8 << 20;
/// The largest array that is held whole: one that is both packed and in first-index-fastest order.
const HELD_LIMIT: usize = 256 << 20;

/// An open array of bytes; a row is all that one first index holds.
pub struct Rows {
    path: PathBuf,
    shape: Vec<usize>,
    size: usize,
    place: Place,
}

enum Place {
    /// As they are, from an offset.
    Plain(File, u64),
    /// First index fastest, from an offset; turned in panels of so many rows.
    Turned(File, u64, usize, Mutex<Recent>),
    Packed(u64, Box<Mutex<Inflated>>),
    Held(Vec<u8>),
}

impl Rows {
    /// Opens array `name` of an npz archive.
    pub fn npz(path: &Path, name: &str) -> Result<Rows> {
        let mut npz = Npz::open(path)?;
        let header = npz.header(name)?;
        let what = || format!("reading array `{name}` of {}", path.display());
        let (size, count) = layout(&header).with_context(what)?;
        let run = npz.run(name)?;
        let file = File::open(path).with_context(what)?;
        let ahead = header.length as u64;
        let place = match (run.method, header.layout) {
            (CompressionMethod::Stored, _) => plain(file, run.start + ahead, &header, size),
            (CompressionMethod::Deflated, Layout::C) => {
                let stream = Inflated::new(file, (run.start, run.end), ahead + count as u64);
                Ok(Place::Packed(ahead, Box::new(Mutex::new(stream))))
            }
            _ if count <= HELD_LIMIT => Ok(Place::Held(npz.u8(name)?.data)),
            _ => bail!(
                "{}: its order cannot be read row by row\nhint: save it with np.savez and np.ascontiguousarray",
                what()
            ),
        };
        Ok(Rows {
            place: place.with_context(what)?,
            path: path.to_path_buf(),
            shape: header.shape,
            size,
        })
    }

    /// Opens an npy file.
    pub fn npy(path: &Path) -> Result<Rows> {
        let reading = || format!("reading {}", path.display());
        let mut file = File::open(path).with_context(reading)?;
        let header = Header::read(&mut file).with_context(reading)?;
        let (size, _) = layout(&header).with_context(reading)?;
        let place = plain(file, header.length as u64, &header, size).with_context(reading)?;
        Ok(Rows {
            path: path.to_path_buf(),
            shape: header.shape,
            size,
            place,
        })
    }

    /// [n, ...], as the file says.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Row `i`, last index fastest.
    pub fn read(&self, i: usize) -> Result<Vec<u8>> {
        let n = self.shape[0];
        let reading = || format!("reading row {i} of {}", self.path.display());
        ensure!(i < n, "{}: it has {n}", reading());
        let (size, at) = (self.size, i * self.size);
        let mut row = vec![0; size];
        match &self.place {
            Place::Held(all) => row.copy_from_slice(&all[at..at + size]),
            Place::Plain(file, offset) => {
                let read = file.read_exact_at(&mut row, offset + at as u64);
                read.with_context(reading)?;
            }
            Place::Packed(ahead, stream) => {
                // A panic elsewhere cannot leave a block half-made.
                let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                let read = stream.read(ahead + at as u64, &mut row);
                read.with_context(reading)?;
            }
            Place::Turned(file, offset, many, recent) => {
                let k = i / many;
                let (first, count) = (k * many, (*many).min(n - k * many));
                let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
                let make = || turn(file, *offset, &self.shape, first, count);
                let panel = recent.block(k, make).with_context(reading)?;
                row.copy_from_slice(&panel[(i - first) * size..][..size]);
            }
        }
        Ok(row)
    }
}

/// Bytes of a row and of all rows.
fn layout(header: &Header) -> Result<(usize, usize)> {
    ensure!(
        header.class == 'u' && header.size == 1,
        "it holds {}, uint8 is read row by row",
        header.dtype()
    );
    let Some(&n) = header.shape.first() else {
        bail!("it is a single number, not rows");
    };
    Ok((header.count.checked_div(n).unwrap_or(0), header.count))
}

/// Bytes that lie in the file as they are.
fn plain(file: File, offset: u64, header: &Header, size: usize) -> Result<Place> {
    let length = file.metadata()?.len();
    let end = offset.checked_add(header.count as u64);
    ensure!(
        end.is_some_and(|end| end <= length),
        "{} bytes at {offset} reach beyond the end\nhint: the file may be truncated",
        header.count
    );
    if header.layout == Layout::C || header.shape.len() < 2 {
        return Ok(Place::Plain(file, offset));
    }
    let many = (PANEL / size.max(1)).max(1);
    Ok(Place::Turned(file, offset, many, Mutex::new(Recent::new())))
}

/// Rows first..first + count of an array that lies first index fastest, last index fastest.
fn turn(file: &File, offset: u64, shape: &[usize], first: usize, count: usize) -> Result<Vec<u8>> {
    let (n, inner) = (shape[0], &shape[1..]);
    let size: usize = inner.iter().product();
    let mut panel = vec![0; size * count];
    let mut column = vec![0; count];
    let mut index = vec![0; inner.len()];
    for k in 0..size {
        let place = index
            .iter()
            .zip(inner)
            .rev()
            .fold(0, |at, (i, d)| at * d + i);
        file.read_exact_at(&mut column, offset + (place * n + first) as u64)?;
        for (row, &byte) in column.iter().enumerate() {
            panel[row * size + k] = byte;
        }
        for axis in (0..inner.len()).rev() {
            index[axis] += 1;
            if index[axis] < inner[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Ok(panel)
}
