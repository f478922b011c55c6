//! NumPy archives: named arrays read with their shapes checked before anything is allocated, and written whole.

use crate::io::disk::write_atomic;
use crate::io::numpy::npy::{self, Element, Header};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Deflate cannot shrink further than this; a file that claims more is a bomb.
pub(crate) const MOST_DEFLATED: u64 = 1032;

/// Numbers in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T = Values> {
    pub shape: Vec<usize>,
    pub data: T,
}

/// The types that arrays are written in.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F64(Vec<f64>),
    F32(Vec<f32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
}

impl Array {
    pub fn f64(shape: &[usize], data: Vec<f64>) -> Array {
        Array::of(shape, Values::F64(data))
    }

    pub fn f32(shape: &[usize], data: Vec<f32>) -> Array {
        Array::of(shape, Values::F32(data))
    }

    pub fn i64(shape: &[usize], data: Vec<i64>) -> Array {
        Array::of(shape, Values::I64(data))
    }

    pub fn u8(shape: &[usize], data: Vec<u8>) -> Array {
        Array::of(shape, Values::U8(data))
    }

    fn of(shape: &[usize], data: Values) -> Array {
        Array {
            shape: shape.to_vec(),
            data,
        }
    }
}

/// The bytes of an entry in the file, as they are packed.
pub(crate) struct Run {
    pub start: u64,
    pub end: u64,
    pub method: CompressionMethod,
}

/// An open archive.
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Npz {
    pub fn open(path: &Path) -> Result<Npz> {
        let reading = || format!("reading {}", path.display());
        let file = File::open(path).with_context(reading)?;
        let archive = ZipArchive::new(BufReader::new(file))
            .context("it is no npz archive\nhint: the file may be truncated")
            .with_context(reading)?;
        Ok(Npz {
            path: path.to_path_buf(),
            archive,
        })
    }

    /// The arrays' names, in the order of the archive.
    pub fn names(&self) -> Vec<String> {
        let files = self.archive.file_names().filter_map(|name| name.ok());
        files
            .filter_map(|name| name.strip_suffix(".npy").map(str::to_string))
            .collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.names().iter().any(|n| n == name)
    }

    /// An array's type and shape, without its data.
    pub fn header(&mut self, name: &str) -> Result<Header> {
        self.entry(name, |header, _| Ok(header.clone()))
    }

    /// Floats or integers as f64; NaN and infinities are refused.
    pub fn f64(&mut self, name: &str) -> Result<Array<Vec<f64>>> {
        let array = self.read::<f64>(name)?;
        self.finite(name, &array.data)?;
        Ok(array)
    }

    /// Floats or integers as f32; NaN and infinities are refused.
    pub fn f32(&mut self, name: &str) -> Result<Array<Vec<f32>>> {
        let array = self.read::<f32>(name)?;
        self.finite(name, &array.data)?;
        Ok(array)
    }

    /// Integers of any width.
    pub fn i64(&mut self, name: &str) -> Result<Array<Vec<i64>>> {
        self.read(name)
    }

    /// Bytes.
    pub fn u8(&mut self, name: &str) -> Result<Array<Vec<u8>>> {
        self.read(name)
    }

    /// Mean `[d]` and covariance [d, d] under these names (`mu` and `sigma`, `mu_s` and `sigma_s`), as f64.
    pub fn moments(&mut self, mean: &str, cov: &str) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mu, sigma) = (self.f64(mean)?, self.f64(cov)?);
        moments(mean, cov, mu, sigma).with_context(|| format!("reading {}", self.path.display()))
    }

    /// Where an array's entry lies in the file, within its bounds.
    pub(crate) fn run(&mut self, name: &str) -> Result<Run> {
        let what = || format!("reading array `{name}` of {}", self.path.display());
        let length = std::fs::metadata(&self.path).with_context(what)?.len();
        let index = self.archive.index_for_name(&format!("{name}.npy"));
        let index = index.context("it is not there").with_context(what)?;
        let entry = self.archive.by_index_raw(index)?;
        let place = entry.data_start().filter(|_| !entry.encrypted());
        let end = place.and_then(|start| start.checked_add(entry.compressed_size()));
        match (place, end) {
            (Some(start), Some(end)) if end <= length => Ok(Run {
                start,
                end,
                method: entry.compression(),
            }),
            _ => bail!(
                "array `{name}` of {} reaches beyond the end\nhint: the file may be truncated",
                self.path.display()
            ),
        }
    }

    fn finite<T: Copy + Into<f64>>(&self, name: &str, values: &[T]) -> Result<()> {
        ensure!(
            values.iter().all(|&v| v.into().is_finite()),
            "{}: `{name}` holds NaN or infinity",
            self.path.display()
        );
        Ok(())
    }

    fn read<T: Element>(&mut self, name: &str) -> Result<Array<Vec<T>>> {
        self.entry(name, |header, from| {
            let mut bytes = Vec::with_capacity(header.bytes());
            from.read_to_end(&mut bytes)?;
            ensure!(
                bytes.len() == header.bytes(),
                "it ends after {} of {} bytes",
                bytes.len(),
                header.bytes()
            );
            Ok(Array {
                shape: header.shape.clone(),
                data: npy::elements(header, &bytes)?,
            })
        })
    }

    /// Finds an array, checks its claims against the archive's and lets `take` read its data.
    pub(crate) fn entry<R>(
        &mut self,
        name: &str,
        take: impl FnOnce(&Header, &mut dyn Read) -> Result<R>,
    ) -> Result<R> {
        let what = format!("reading array `{name}` of {}", self.path.display());
        if !self.has(name) {
            let names = self.names().join("`, `");
            bail!(
                "{} has no array `{name}`, it has `{names}`",
                self.path.display()
            );
        }
        let read = || {
            let mut entry = self.archive.by_name(&format!("{name}.npy"))?;
            let (size, packed) = (entry.size(), entry.compressed_size());
            ensure!(
                size <= packed.saturating_mul(MOST_DEFLATED) + 1024,
                "it claims {size} bytes in {packed}"
            );
            let header = Header::read(&mut entry)?;
            ensure!(
                size.checked_sub(header.length as u64) == Some(header.bytes() as u64),
                "{:?} of {} take {} bytes, it has {}",
                header.shape,
                header.dtype(),
                header.bytes(),
                size.saturating_sub(header.length as u64)
            );
            take(&header, &mut entry)
        };
        read().context(what)
    }
}

/// Reads every entry to its end.
///
/// # Errors
/// Where the archive is cut off, an entry's bytes do not have their checksum, or no file of this name can be read.
pub fn verify(path: &Path) -> Result<()> {
    let mut file = Npz::open(path)?;
    let mut block = vec![0; 1 << 18];
    for k in 0..file.archive.len() {
        let mut entry = file.archive.by_index(k)?;
        while entry.read(&mut block)? > 0 {}
    }
    Ok(())
}

/// How far a covariance may be from symmetric, as a part of its largest value; sums in f32 are far closer.
const ASYMMETRY: f64 = 1e-4;

/// Checks that these are a mean [d] and a covariance [d, d] of finite numbers, symmetric and with no variance below 0.
pub(crate) fn moments(
    mean: &str,
    cov: &str,
    mu: Array<Vec<f64>>,
    sigma: Array<Vec<f64>>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let d = mu.data.len();
    ensure!(
        mu.shape == [d] && d > 0 && sigma.shape == [d, d],
        "`{mean}` is {:?} and `{cov}` {:?}, moments are [d] and [d, d]",
        mu.shape,
        sigma.shape
    );
    for (name, values) in [(mean, &mu.data), (cov, &sigma.data)] {
        ensure!(
            values.iter().all(|v| v.is_finite()),
            "`{name}` holds NaN or infinity"
        );
    }
    let at = |i: usize, j: usize| sigma.data[i * d + j];
    let allowed = ASYMMETRY * sigma.data.iter().fold(0f64, |most, v| most.max(v.abs()));
    for i in 0..d {
        ensure!(
            at(i, i) >= -allowed,
            "`{cov}` has the variance {} at {i}, variances are 0 and up",
            at(i, i)
        );
        for j in 0..i {
            ensure!(
                (at(i, j) - at(j, i)).abs() <= allowed,
                "`{cov}` is not symmetric: {} at [{i}, {j}] and {} at [{j}, {i}]",
                at(i, j),
                at(j, i)
            );
        }
    }
    Ok((mu.data, sigma.data))
}

/// Writes the arrays uncompressed as `NAME.npy` each, atomically; the same arrays give the same bytes.
pub fn write(path: &Path, arrays: &[(&str, Array)]) -> Result<()> {
    for (name, array) in arrays {
        let length = match &array.data {
            Values::F64(v) => v.len(),
            Values::F32(v) => v.len(),
            Values::I64(v) => v.len(),
            Values::U8(v) => v.len(),
        };
        ensure!(
            array.shape.iter().product::<usize>() == length,
            "array `{name}` of shape {:?} has {length} values",
            array.shape
        );
    }
    write_atomic(path, |out| {
        let mut zip = ZipWriter::new_stream(out);
        write_arrays(&mut zip, arrays)?;
        zip.finish()?;
        Ok(())
    })
}

/// As `write`, with an array of bytes of this `shape` ahead that is never held whole: `fill` writes its elements in
/// row-major order.
pub fn write_streamed(
    path: &Path,
    (name, shape): (&str, &[usize]),
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
    rest: &[(&str, Array)],
) -> Result<()> {
    let wanted = shape.iter().map(|&d| d as u64).product::<u64>();
    write_atomic(path, |out| {
        let mut zip = ZipWriter::new_stream(out);
        zip.start_file(format!("{name}.npy"), options())?;
        zip.write_all(&npy::write_header("|u1", shape))?;
        let mut counted = Counted(&mut zip, 0);
        fill(&mut counted)?;
        let written = counted.1;
        ensure!(
            written == wanted,
            "array `{name}` of shape {shape:?} was given {written} bytes"
        );
        write_arrays(&mut zip, rest)?;
        zip.finish()?;
        Ok(())
    })
}

/// A writer and the bytes that went through it.
struct Counted<W>(W, u64);

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1 += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .large_file(true)
}

fn write_arrays<W: Write + Seek>(zip: &mut ZipWriter<W>, arrays: &[(&str, Array)]) -> Result<()> {
    for (name, array) in arrays {
        zip.start_file(format!("{name}.npy"), options())?;
        write_array(zip, array)?;
    }
    Ok(())
}

fn write_array(out: &mut impl Write, array: &Array) -> Result<()> {
    let shape = &array.shape;
    match &array.data {
        Values::F64(v) => write_values(out, "<f8", shape, v, f64::to_le_bytes),
        Values::F32(v) => write_values(out, "<f4", shape, v, f32::to_le_bytes),
        Values::I64(v) => write_values(out, "<i8", shape, v, i64::to_le_bytes),
        Values::U8(v) => {
            out.write_all(&npy::write_header("|u1", shape))?;
            Ok(out.write_all(v)?)
        }
    }
}

fn write_values<T: Copy, const N: usize>(
    out: &mut impl Write,
    descr: &str,
    shape: &[usize],
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
) -> Result<()> {
    out.write_all(&npy::write_header(descr, shape))?;
    for chunk in values.chunks(1 << 16) {
        let block: Vec<u8> = chunk.iter().flat_map(|&v| bytes(v)).collect();
        out.write_all(&block)?;
    }
    Ok(())
}
