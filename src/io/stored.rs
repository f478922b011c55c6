//! A tensor as it lies in a file: where, of what type, in which order; and its way to numbers.

use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Element types that weights come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U32,
    U8,
    Bool,
}

impl Kind {
    /// Bytes an element.
    pub fn size(self) -> usize {
        match self {
            Kind::F64 | Kind::I64 => 8,
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::F16 | Kind::BF16 | Kind::I16 => 2,
            Kind::I8 | Kind::U8 | Kind::Bool => 1,
        }
    }

    /// Its name in a safetensors header.
    pub fn name(self) -> &'static str {
        match self {
            Kind::F64 => "F64",
            Kind::F32 => "F32",
            Kind::F16 => "F16",
            Kind::BF16 => "BF16",
            Kind::I64 => "I64",
            Kind::I32 => "I32",
            Kind::I16 => "I16",
            Kind::I8 => "I8",
            Kind::U32 => "U32",
            Kind::U8 => "U8",
            Kind::Bool => "BOOL",
        }
    }

    /// The type that a safetensors header calls `name`.
    pub fn named(name: &str) -> Option<Kind> {
        use Kind::*;
        [F64, F32, F16, BF16, I64, I32, I16, I8, U32, U8, Bool]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Appends little-endian elements.
    fn append<T: Real>(self, bytes: &[u8], to: &mut Vec<T>) {
        match self {
            Kind::F64 => each(bytes, to, |b| T::of_f64(f64::from_le_bytes(b))),
            Kind::F32 => each(bytes, to, |b| T::of_f32(f32::from_le_bytes(b))),
            Kind::F16 => each(bytes, to, |b| T::of_f32(f16::from_le_bytes(b).to_f32())),
            Kind::BF16 => each(bytes, to, |b| T::of_f32(bf16::from_le_bytes(b).to_f32())),
            Kind::I64 => each(bytes, to, |b| T::of_i64(i64::from_le_bytes(b))),
            Kind::I32 => each(bytes, to, |b| T::of_i64(i32::from_le_bytes(b).into())),
            Kind::I16 => each(bytes, to, |b| T::of_i64(i16::from_le_bytes(b).into())),
            Kind::I8 => each(bytes, to, |b: [u8; 1]| T::of_i64((b[0] as i8).into())),
            Kind::U32 => each(bytes, to, |b| T::of_i64(u32::from_le_bytes(b).into())),
            Kind::U8 => each(bytes, to, |b: [u8; 1]| T::of_i64(b[0].into())),
            Kind::Bool => each(bytes, to, |b: [u8; 1]| T::of_i64((b[0] != 0).into())),
        }
    }
}

fn each<T, const N: usize>(bytes: &[u8], to: &mut Vec<T>, convert: impl Fn([u8; N]) -> T) {
    to.extend(bytes.as_chunks::<N>().0.iter().map(|&b| convert(b)));
}

/// What stored numbers are read as: f32 for weights, f64 for statistics; each conversion rounds once.
pub trait Real: Copy {
    fn of_f64(value: f64) -> Self;
    fn of_f32(value: f32) -> Self;
    fn of_i64(value: i64) -> Self;
}

impl Real for f32 {
    fn of_f64(value: f64) -> f32 {
        value as f32
    }

    fn of_f32(value: f32) -> f32 {
        value
    }

    fn of_i64(value: i64) -> f32 {
        value as f32
    }
}

impl Real for f64 {
    fn of_f64(value: f64) -> f64 {
        value
    }

    fn of_f32(value: f32) -> f64 {
        value.into()
    }

    fn of_i64(value: i64) -> f64 {
        value as f64
    }
}

/// Bytes of a tensor that are held beside its values.
const BLOCK: usize = 1 << 18;

/// One tensor in a file.
#[derive(Clone, Debug)]
pub struct Stored {
    pub name: String,
    pub kind: Kind,
    pub shape: Vec<usize>,
    /// In elements; a view may be transposed.
    pub strides: Vec<usize>,
    /// Of the first element, in bytes from the start of the file.
    pub offset: u64,
    /// CRC-32 of the tensor's bytes, where the file tells one of exactly these.
    pub checksum: Option<u32>,
}

/// Where a storage's bytes begin and end in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: u64,
    /// CRC-32 of them all, where the container tells one.
    pub checksum: Option<u32>,
}

impl Stored {
    /// Elements; none where the shape overflows.
    pub fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }

    /// Fails unless every element lies in `start..end` of the file and no element is named twice over by the shape:
    /// so nothing is ever allocated that the file does not hold.
    pub fn check(&self, start: u64, end: u64) -> Result<()> {
        let name = &self.name;
        ensure!(
            self.shape.len() == self.strides.len() && self.shape.len() <= 16,
            "tensor `{name}` has {} dimensions and {} strides",
            self.shape.len(),
            self.strides.len()
        );
        let count = self
            .count()
            .with_context(|| format!("tensor `{name}` of shape {:?} is too large", self.shape))?;
        let repeats = |(&d, &s): (&usize, &usize)| d > 1 && s == 0;
        ensure!(
            count == 0 || !self.shape.iter().zip(&self.strides).any(repeats),
            "tensor `{name}` of shape {:?} and strides {:?} repeats its elements\nhint: save it with `.clone()`",
            self.shape,
            self.strides
        );
        let bytes = (count as u64).checked_mul(self.kind.size() as u64);
        let extent = match count {
            0 => Some(0),
            _ => self.extent(),
        };
        let fits = extent
            .and_then(|e| self.offset.checked_add(e))
            .is_some_and(|last| self.offset >= start && last <= end);
        if !fits || bytes.is_none_or(|b| b > end - start) {
            bail!(
                "tensor `{name}` of shape {:?} reaches beyond its storage of {} bytes\nhint: the file may be truncated",
                self.shape,
                end.saturating_sub(start)
            );
        }
        Ok(())
    }

    /// Takes the checksum of its storage where the tensor is the whole of it.
    pub fn whole_of(mut self, span: Span) -> Stored {
        let whole = self.offset == span.start && self.extent() == Some(span.end - span.start);
        self.checksum = span.checksum.filter(|_| whole);
        self
    }

    /// Bytes from the first element to the end of the last.
    fn extent(&self) -> Option<u64> {
        let mut last = 0usize;
        for (&d, &s) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add(d.checked_sub(1)?.checked_mul(s)?)?;
        }
        let bytes = last.checked_add(1)?.checked_mul(self.kind.size())?;
        Some(bytes as u64)
    }

    /// The values in row-major order. Beside them a block of the file is held, or the reach of a view with gaps. Bytes
    /// that do not have their checksum are an error.
    pub fn read<T: Real>(&self, file: &File) -> Result<Vec<T>> {
        let reading = || format!("reading tensor `{}`", self.name);
        let count = self.count().with_context(reading)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let extent = self.extent().with_context(reading)? as usize;
        let dense = self.strides == row_major(&self.shape);
        let mut block = vec![0u8; if dense { extent.min(BLOCK) } else { extent }];
        let mut values = Vec::with_capacity(extent / self.kind.size());
        let (mut at, mut sum) = (0, crc32fast::Hasher::new());
        while at < extent {
            let part = block.len().min(extent - at);
            file.read_exact_at(&mut block[..part], self.offset + at as u64)
                .with_context(reading)?;
            if self.checksum.is_some() {
                sum.update(&block[..part]);
            }
            self.kind.append(&block[..part], &mut values);
            at += part;
        }
        drop(block);
        if let Some(told) = self.checksum {
            let found = sum.finalize();
            ensure!(
                found == told,
                "{}: its bytes have the checksum {found:08x}, the file says {told:08x}\nhint: the file is damaged; get it again",
                reading()
            );
        }
        if dense {
            Ok(values)
        } else {
            Ok(self.gather(&values, count))
        }
    }

    fn gather<T: Real>(&self, values: &[T], count: usize) -> Vec<T> {
        let mut place = vec![0usize; self.shape.len()];
        let mut at = 0;
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            out.push(values[at]);
            for axis in (0..place.len()).rev() {
                place[axis] += 1;
                at += self.strides[axis];
                if place[axis] < self.shape[axis] {
                    break;
                }
                at -= self.strides[axis] * self.shape[axis];
                place[axis] = 0;
            }
        }
        out
    }
}

/// Strides of a tensor without gaps; saturating, for shapes that `check` has yet to refuse.
pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}
