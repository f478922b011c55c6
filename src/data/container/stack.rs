//! Pictures in one npy array, [n, h, w, 3] or [h, w, 3] bytes, read row by row; and what to tell of arrays of floats.

use crate::io::image::file::Rgb8;
use crate::io::numpy::npy::{self, Header, Layout};
use anyhow::{Context, Error, Result, anyhow, ensure};
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Floats in a larger array are not looked at to say what is wrong with them.
pub(crate) const LOOKED_AT: usize = 1 << 30;

/// An open array.
pub(crate) struct Stack {
    path: PathBuf,
    file: File,
    start: u64,
    n: usize,
    h: usize,
    w: usize,
}

impl Stack {
    pub fn open(path: &Path) -> Result<Stack> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut from = BufReader::new(&file);
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
        if header.class == 'f' {
            let mut bytes = Vec::new();
            if header.bytes() <= LOOKED_AT {
                from.read_to_end(&mut bytes)?;
            }
            return Err(no_bytes(
                "the array",
                &header,
                &npy::elements(&header, &bytes)?,
            ));
        }
        let (n, h, w) = match header.shape[..] {
            [n, h, w, 3] => (n, h, w),
            [h, w, 3] => (1, h, w),
            _ => (0, 0, 0),
        };
        ensure!(
            n > 0 && h > 0 && w > 0,
            no_pictures("the array", &header.shape)
        );
        ensure!(
            header.dtype() == "uint8" && header.layout == Layout::C,
            "it holds {} in {} order, pictures are uint8 in C order",
            header.dtype(),
            header.layout.name()
        );
        let start = header.length as u64;
        drop(from);
        Ok(Stack {
            path: path.to_path_buf(),
            file,
            start,
            n,
            h,
            w,
        })
    }

    pub fn len(&self) -> usize {
        self.n
    }

    pub fn read(&self, i: usize) -> Result<Rgb8> {
        let size = self.h * self.w * 3;
        let mut data = vec![0; size];
        self.file
            .read_exact_at(&mut data, self.start + (i * size) as u64)
            .with_context(|| format!("reading picture {i} of {}", self.path.display()))?;
        let (w, h) = (self.w, self.h);
        Ok(Rgb8 { w, h, data })
    }
}

/// Why an `array` of this shape holds no pictures, and how it becomes one that does, where that can be told.
pub(crate) fn no_pictures(array: &str, shape: &[usize]) -> String {
    let text = format!("{array} is {shape:?}, pictures are [n, height, width, 3]");
    let cure = match *shape {
        _ if shape.contains(&0) => return format!("{text}: it is empty"),
        [_, 3, _, _] => "x.transpose(0, 2, 3, 1)",
        [_, 1, _, _] => "np.repeat(x.transpose(0, 2, 3, 1), 3, axis=-1)",
        [_, 4, _, _] => "x[:, :3].transpose(0, 2, 3, 1)",
        [3, _, _] => "x.transpose(1, 2, 0)",
        [_, _, _, 1] | [_, _, 1] => "np.repeat(x, 3, axis=-1)",
        [_, _, _, 4] | [_, _, 4] => "x[..., :3]",
        [_, _, _] => "np.repeat(x[..., None], 3, axis=-1)",
        [_, _, _, _, 3] => "x.reshape(-1, *x.shape[-3:])",
        _ => return text,
    };
    format!("{text}\nhint: `{cure}`")
}

/// Why `array` of floats holds no pictures: NaN, or a range and how it becomes bytes. `values` may be empty.
pub(crate) fn no_bytes(array: &str, header: &Header, values: &[f32]) -> Error {
    let dtype = header.dtype();
    let per_image = header.shape.iter().skip(1).product::<usize>().max(1);
    let broken = |image: &&[f32]| image.iter().any(|v| !v.is_finite());
    let count = values.chunks(per_image).filter(broken).count();
    if let Some(first) = values.chunks(per_image).position(|image| broken(&image)) {
        let images = header.shape.first().copied().unwrap_or(1);
        return anyhow!(
            "{array} holds {dtype}, pictures are uint8; {count} of its {images} images have NaN or infinity, the first is [{first}]"
        );
    }
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (range, cure) = match (low, high) {
        _ if values.is_empty() => (String::new(), "x"),
        _ if (-1.5..0.0).contains(&low) && high <= 1.5 => {
            (format!(" of {low}..{high}"), "x * 127.5 + 127.5")
        }
        _ if low >= 0.0 && high <= 1.0 => (format!(" of {low}..{high}"), "x * 255"),
        _ => (format!(" of {low}..{high}"), "x"),
    };
    anyhow!(
        "{array} holds {dtype}{range}, pictures are uint8 of 0..255\nhint: `({cure}).round().clip(0, 255).astype(\"uint8\")`"
    )
}
