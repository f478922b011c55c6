//! Why an array holds no pictures, and the line of NumPy that makes pictures of this very array.

use crate::io::numpy::npy::{self, Header, Layout};
use anyhow::{Error, Result, anyhow, bail};
use std::io::Read;

/// Elements that are looked at, from the first on, to say what is wrong with them.
const LOOKED_AT: usize = 1 << 28;
/// Elements that are read at a time.
const BLOCK: usize = 1 << 16;

/// Pictures of an array: how many, their height and width.
pub(crate) type Sizes = (usize, usize, usize);

/// n, height and width of an array that holds pictures: uint8 [n, h, w, 3], or [h, w, 3] for one.
///
/// # Errors
/// Any other array, with what it is, what its elements are like (`from` reads them), and its cure.
pub(crate) fn sizes(array: &str, header: &Header, from: &mut dyn Read) -> Result<Sizes> {
    let shape = &header.shape;
    let sizes = match shape[..] {
        [n, h, w, 3] => Some((n, h, w)),
        [h, w, 3] => Some((1, h, w)),
        _ => None,
    };
    if header.count == 0 {
        bail!("{array} of shape {shape:?} is empty");
    }
    if header.dtype() != "uint8" {
        return Err(no_bytes(array, header, from));
    }
    let Some(sizes) = sizes else {
        let cure = arranged(shape).map(|(cure, what)| format!("\nhint: save `{cure}`: {what}"));
        bail!(
            "{array} is {shape:?}, pictures are [n, height, width, 3]{}",
            cure.unwrap_or_default()
        );
    };
    Ok(sizes)
}

/// The expression that arranges an array `x` of this shape as pictures, and what it does; none where no rule tells what
/// its axes are.
fn arranged(shape: &[usize]) -> Option<(String, &'static str)> {
    let (cure, what) = match *shape {
        [_, _, _, 3] | [_, _, 3] => return None,
        [rows, k] => return Some(of_rows(rows, k)),
        // Three grey pictures are rarer than one picture with its channels first.
        [3, _, _] => ("x.transpose(1, 2, 0)", "one picture, channels go last"),
        [_, _, 4] => ("x[..., :3]", "one picture, alpha is left out"),
        [_, _, 1] => (
            "x.repeat(3, axis=-1)",
            "one picture, grey becomes three equal channels",
        ),
        [_, _, _] => (GREY, "grey becomes three equal channels"),
        [_, 3, _, _] => (CHANNELS_LAST, "channels go last"),
        [_, _, _, 1] => ("x.repeat(3, axis=-1)", "grey becomes three equal channels"),
        [_, 1, _, _] => (
            "x.transpose(0, 2, 3, 1).repeat(3, axis=-1)",
            "channels go last, grey becomes three equal ones",
        ),
        [_, _, _, 4] => ("x[..., :3]", "alpha is left out"),
        [_, 4, _, _] => (
            "x[:, :3].transpose(0, 2, 3, 1)",
            "alpha is left out, channels go last",
        ),
        [_, _, .., h, w, 3] => {
            return Some((format!("x.reshape(-1, {h}, {w}, 3)"), "batches are joined"));
        }
        [_, _, .., 3, h, w] => {
            let cure = format!("x.reshape(-1, 3, {h}, {w}).transpose(0, 2, 3, 1)");
            return Some((cure, "batches are joined, channels go last"));
        }
        _ => return None,
    };
    Some((cure.to_string(), what))
}

const GREY: &str = "x[..., None].repeat(3, axis=-1)";
const CHANNELS_LAST: &str = "x.transpose(0, 2, 3, 1)";

/// The same of an array [rows, k]: square pictures laid flat, one a row, or a single grey picture.
fn of_rows(rows: usize, k: usize) -> (String, &'static str) {
    let side = |pixels: usize| Some(pixels.isqrt()).filter(|s| s.pow(2) == pixels && *s >= 8);
    let colour = Some(k / 3).filter(|_| k.is_multiple_of(3)).and_then(side);
    match (colour, side(k)) {
        _ if rows == k => {}
        (Some(s), _) => {
            let cure = format!("x.reshape(-1, 3, {s}, {s}).transpose(0, 2, 3, 1)");
            let what = "a row is a picture, red before green before blue as in CIFAR-10's files";
            return (cure, what);
        }
        (_, Some(s)) => {
            let cure = format!("x.reshape(-1, {s}, {s}, 1).repeat(3, axis=-1)");
            return (cure, "a row is a grey picture");
        }
        _ => {}
    }
    (GREY.to_string(), "one grey picture")
}

/// What was seen of the elements of an array.
struct Seen {
    low: f64,
    high: f64,
    elements: usize,
    /// Pictures with NaN or infinity, and the first of them.
    broken: usize,
    first: Option<usize>,
}

fn look(header: &Header, from: &mut dyn Read) -> Result<Seen> {
    let images = header.shape.first().copied().unwrap_or(1).max(1);
    let each = (header.count / images).max(1);
    let mut seen = Seen {
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
        elements: header.count.min(LOOKED_AT),
        broken: 0,
        first: None,
    };
    let mut broken = vec![false; images.min(LOOKED_AT)];
    let mut block = vec![0; BLOCK.min(header.count) * header.size];
    let mut at = 0;
    while at < seen.elements {
        let part = BLOCK.min(seen.elements - at);
        let bytes = &mut block[..part * header.size];
        from.read_exact(bytes)?;
        for (k, element) in bytes.chunks_exact(header.size).enumerate() {
            let value: f64 = npy::number(header, element)?;
            if value.is_finite() {
                seen.low = seen.low.min(value);
                seen.high = seen.high.max(value);
                continue;
            }
            let image = match header.layout {
                Layout::C => (at + k) / each,
                Layout::Fortran => (at + k) % images,
            };
            if let Some(broken) = broken.get_mut(image) {
                *broken = true;
            }
        }
        at += part;
    }
    seen.broken = broken.iter().filter(|&&broken| broken).count();
    seen.first = broken.iter().position(|&broken| broken);
    Ok(seen)
}

/// Why an array of another type than uint8 holds no pictures: NaN, or a range and how it becomes bytes.
fn no_bytes(array: &str, header: &Header, from: &mut dyn Read) -> Error {
    let dtype = header.dtype();
    let seen = match look(header, from) {
        Ok(seen) => seen,
        Err(why) => return why.context(format!("{array} holds {dtype}, pictures are uint8")),
    };
    if let Some(first) = seen.first {
        let images = header.shape.first().copied().unwrap_or(1);
        return anyhow!(
            "{array} holds {dtype}, pictures are uint8; {} of its {images} images have NaN or infinity, the first is [{first}]",
            seen.broken
        );
    }
    let (low, high) = (seen.low as f32, seen.high as f32);
    let part = if seen.elements < header.count {
        format!(" in its first {} values", seen.elements)
    } else {
        String::new()
    };
    let (arranged, what) = match arranged(&header.shape) {
        Some((cure, what)) => (cure, format!(", {what}")),
        None => ("x".to_string(), String::new()),
    };
    let cure = bytes(&arranged, header, (low, high));
    anyhow!(
        "{array} holds {dtype} of {low}..{high}{part}, pictures are uint8 of 0..255\nhint: save `{cure}`{what}"
    )
}

/// The expression that makes bytes of `x` by the range of its values.
fn bytes(x: &str, header: &Header, (low, high): (f32, f32)) -> String {
    let rounded = |scaled: String| format!("({scaled}).round().clip(0, 255).astype(\"uint8\")");
    match header.class {
        'b' => format!("{x}.astype(\"uint8\") * 255"),
        'f' if (-1.5..0.0).contains(&low) && high <= 1.5 => rounded(format!("{x} * 127.5 + 127.5")),
        'f' if low >= 0.0 && high <= 1.0 => rounded(format!("{x} * 255")),
        'f' => rounded(x.to_string()),
        _ if low >= 0.0 && high <= 255.0 => format!("{x}.astype(\"uint8\")"),
        // A byte of each sign: 0 is the middle.
        _ if low >= -128.0 && high <= 127.0 => {
            format!("({x}.astype(\"int16\") + 128).astype(\"uint8\")")
        }
        _ if low >= 0.0 && high <= 65535.0 => rounded(format!("{x} / 257")),
        _ => format!("{x}.clip(0, 255).astype(\"uint8\")"),
    }
}
