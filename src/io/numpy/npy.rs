//! One NumPy array: its header (a small Python literal, NumPy enhancement proposal 1), and its bytes to numbers.

use anyhow::{Context, Result, bail, ensure};
use half::f16;
use std::io::Read;

/// NumPy writes headers of a hundred bytes or so.
const HEADER_LIMIT: usize = 1 << 16;

/// In which order the elements of an array lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The last index fastest.
    C,
    /// The first index fastest.
    Fortran,
}

impl Layout {
    /// As arrays call it in messages.
    pub fn name(self) -> &'static str {
        match self {
            Layout::C => "C",
            Layout::Fortran => "Fortran",
        }
    }
}

/// What an array's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `f`, `i`, `u` or `b`.
    pub class: char,
    /// Bytes an element.
    pub size: usize,
    pub big_endian: bool,
    pub layout: Layout,
    pub shape: Vec<usize>,
    /// Elements, checked against overflow.
    pub count: usize,
    /// Bytes before the first element.
    pub length: usize,
}

impl Header {
    /// Bytes of all elements, checked against overflow.
    pub fn bytes(&self) -> usize {
        self.count * self.size
    }

    /// The type as NumPy prints it, such as `float64`.
    pub fn dtype(&self) -> String {
        let name = match self.class {
            'f' => "float",
            'i' => "int",
            'u' => "uint",
            _ => return "bool".to_string(),
        };
        format!("{name}{}", 8 * self.size)
    }

    /// Reads up to the first element.
    pub fn read(from: &mut impl Read) -> Result<Header> {
        let mut magic = [0u8; 8];
        from.read_exact(&mut magic)
            .context("it ends in the header")?;
        ensure!(magic.starts_with(b"\x93NUMPY"), "it is no npy array");
        let wide = match magic[6] {
            1 => 2,
            2 | 3 => 4,
            version => bail!("it has npy version {version}, 1 to 3 are read"),
        };
        let mut length = [0u8; 4];
        from.read_exact(&mut length[..wide])
            .context("it ends in the header")?;
        let length = u32::from_le_bytes(length) as usize;
        ensure!(
            length <= HEADER_LIMIT,
            "its header claims {length} bytes, at most {HEADER_LIMIT} are read"
        );
        let mut text = vec![0u8; length];
        from.read_exact(&mut text)
            .context("it ends in the header")?;
        let text = std::str::from_utf8(&text).context("its header is not text")?;
        let mut header =
            parse(text).with_context(|| format!("its header is {:?}", shorten(text)))?;
        header.length = 8 + wide + length;
        Ok(header)
    }
}

fn shorten(text: &str) -> String {
    text.trim_end().chars().take(200).collect()
}

/// Parses `{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }`.
fn parse(text: &str) -> Result<Header> {
    let body = text
        .trim()
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'))
        .context("it is no dict")?;
    let (mut descr, mut order, mut shape) = (None, None, None);
    let mut rest = body.trim_start();
    while !rest.is_empty() {
        let (key, after) = quoted(rest).context("a key is not in quotes")?;
        let after = after
            .trim_start()
            .strip_prefix(':')
            .context("a key has no value")?
            .trim_start();
        rest = match key {
            "descr" => {
                let (value, rest) = quoted(after).context("structured arrays are not read")?;
                descr = Some(value);
                rest
            }
            "fortran_order" => {
                let (value, rest) =
                    layout(after).context("fortran_order is neither True nor False")?;
                order = Some(value);
                rest
            }
            "shape" => {
                let (inside, rest) = after
                    .strip_prefix('(')
                    .and_then(|t| t.split_once(')'))
                    .context("the shape is no tuple")?;
                shape = Some(dimensions(inside)?);
                rest
            }
            other => bail!("`{other}` is not known"),
        };
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    let (Some(descr), Some(layout), Some(shape)) = (descr, order, shape) else {
        bail!("descr, fortran_order and shape are not all there");
    };
    described(descr, layout, shape)
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|&c| c == '\'' || c == '"')?;
    text[1..].split_once(quote)
}

fn layout(text: &str) -> Option<(Layout, &str)> {
    let yes = text
        .strip_prefix("True")
        .map(|rest| (Layout::Fortran, rest));
    yes.or_else(|| text.strip_prefix("False").map(|rest| (Layout::C, rest)))
}

fn dimensions(text: &str) -> Result<Vec<usize>> {
    let parts = text.split(',').map(|t| t.trim().trim_end_matches('L'));
    parts
        .filter(|t| !t.is_empty())
        .map(|t| t.parse().with_context(|| format!("{t:?} is no dimension")))
        .collect()
}

/// The header of an array of type `descr`, such as `<f8`.
pub fn described(descr: &str, layout: Layout, shape: Vec<usize>) -> Result<Header> {
    ensure!(shape.len() <= 32, "it has {} dimensions", shape.len());
    let mut letters = descr.chars();
    let (order, class) = (letters.next().unwrap_or(' '), letters.next().unwrap_or(' '));
    ensure!(
        class != 'O',
        "it holds Python objects, which are never read\nhint: save it as plain numbers with allow_pickle=False"
    );
    ensure!(
        !"USa".contains(class),
        "it holds text ({descr:?}), and floats, integers and bools are read"
    );
    let size: usize = letters.as_str().parse().unwrap_or(0);
    let known = match class {
        'f' => matches!(size, 2 | 4 | 8),
        'i' | 'u' => matches!(size, 1 | 2 | 4 | 8),
        'b' => size == 1,
        _ => false,
    };
    ensure!(
        known && "<>|=".contains(order),
        "type {descr:?} is not read, floats, integers and bools are"
    );
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let count = count
        .filter(|n| {
            n.checked_mul(size)
                .is_some_and(|b| b <= isize::MAX as usize)
        })
        .with_context(|| format!("shape {shape:?} is too large"))?;
    Ok(Header {
        class,
        size,
        big_endian: order == '>',
        layout,
        shape,
        count,
        length: 0,
    })
}

/// A number that arrays are read as.
pub trait Element: Copy {
    /// The conversion of a stored class and size, where no value can be lost but float precision.
    fn from_bytes(class: char, bytes: &[u8; 8], size: usize) -> Option<Self>;
}

/// An unsigned or signed integer from its low `size` bytes.
fn integer(class: char, bytes: &[u8; 8], size: usize) -> Option<i64> {
    let raw = u64::from_le_bytes(*bytes);
    let spare = 64 - 8 * size as u32;
    match class {
        'i' => Some(((raw << spare) as i64) >> spare),
        _ => i64::try_from(raw).ok(),
    }
}

impl Element for f64 {
    fn from_bytes(class: char, b: &[u8; 8], size: usize) -> Option<f64> {
        match (class, size) {
            ('f', 8) => Some(f64::from_le_bytes(*b)),
            ('f', 4) => Some(f32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f64),
            ('f', _) => Some(f16::from_le_bytes([b[0], b[1]]).to_f64()),
            _ => integer(class, b, size).map(|v| v as f64),
        }
    }
}

impl Element for f32 {
    fn from_bytes(class: char, bytes: &[u8; 8], size: usize) -> Option<f32> {
        f64::from_bytes(class, bytes, size).map(|v| v as f32)
    }
}

impl Element for i64 {
    fn from_bytes(class: char, bytes: &[u8; 8], size: usize) -> Option<i64> {
        match class {
            'f' => None,
            _ => integer(class, bytes, size),
        }
    }
}

impl Element for u8 {
    fn from_bytes(class: char, bytes: &[u8; 8], size: usize) -> Option<u8> {
        match (class, size) {
            ('u' | 'b', 1) => Some(bytes[0]),
            _ => None,
        }
    }
}

/// One element as `T`, which has to hold it.
pub fn number<T: Element>(header: &Header, element: &[u8]) -> Result<T> {
    let mut word = [0u8; 8];
    word[..header.size].copy_from_slice(element);
    if header.big_endian {
        word[..header.size].reverse();
    }
    T::from_bytes(header.class, &word, header.size).with_context(|| {
        let wanted = std::any::type_name::<T>();
        format!("its {} values cannot be read as {wanted}", header.dtype())
    })
}

/// All elements of `bytes` in row-major order; `T` has to hold them.
pub fn elements<T: Element>(header: &Header, bytes: &[u8]) -> Result<Vec<T>> {
    let mut values = Vec::with_capacity(header.count);
    for element in bytes.chunks_exact(header.size).take(header.count) {
        values.push(number(header, element)?);
    }
    if header.layout == Layout::Fortran && header.shape.len() > 1 {
        values = row_major(&header.shape, &values);
    }
    Ok(values)
}

/// From first-index-fastest to last-index-fastest.
fn row_major<T: Copy>(shape: &[usize], values: &[T]) -> Vec<T> {
    let mut strides = vec![1usize; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let place = |mut i: usize| {
        let mut at = 0;
        for axis in (0..shape.len()).rev() {
            at += (i % shape[axis]) * strides[axis];
            i /= shape[axis];
        }
        at
    };
    (0..values.len()).map(|i| values[place(i)]).collect()
}

/// The header of a little-endian, row-major array, padded so that the data begin at a multiple of 64.
pub fn write_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let mut dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    if shape.len() > 1 {
        dims.truncate(dims.len() - 2);
    }
    let dims = dims.trim_end();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    let padded = (10 + text.len() + 1).next_multiple_of(64) - 10;
    while text.len() + 1 < padded {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}
