//! PNG chunks: what the pixels depend on, checked as Pillow checks it.

use crate::io::image::pixels::within_limits;
use anyhow::{Context, Result, bail, ensure};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

const SIGNATURE: usize = 8;
const PALETTE: u8 = 3;

/// A chunk, and where the next begins.
struct Chunk<'a> {
    name: [u8; 4],
    body: &'a [u8],
    checksum: Option<u32>,
    /// The body is all there.
    whole: bool,
    next: usize,
}

/// The chunk at `at`; none where the file ends or no name of a chunk stands there.
fn chunk(bytes: &[u8], at: usize) -> Option<Chunk<'_>> {
    let (head, rest) = bytes.get(at..)?.split_first_chunk::<8>()?;
    let [a, b, c, d, name @ ..] = *head;
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    if !name.iter().all(word) {
        return None;
    }
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let (body, behind) = rest.split_at(length.min(rest.len()));
    let checksum = behind.first_chunk().map(|c| u32::from_be_bytes(*c));
    Some(Chunk {
        name,
        body,
        checksum,
        whole: body.len() == length,
        next: at.saturating_add(12).saturating_add(length),
    })
}

/// The same picture as a PNG of header, palette and data alone: without transparency and colour profiles, which no pixel of
/// `convert("RGB")` depends on, and with checksums that fit.
///
/// # Errors
/// Where a chunk before the data is cut or its checksum does not fit. The checksums of the data are not looked at, and the
/// file may end right behind them.
pub(crate) fn pixels_alone(bytes: &[u8]) -> Result<Vec<u8>> {
    let (mut header, mut palette) = (None, None);
    let mut at = SIGNATURE;
    let early = "the PNG ends before its data\nhint: it may be truncated";
    let first = loop {
        let found = chunk(bytes, at).context(early)?;
        if &found.name == b"IDAT" {
            break at;
        }
        ensure!(found.whole && &found.name != b"IEND", early);
        let name = String::from_utf8_lossy(&found.name);
        ensure!(
            found.checksum == Some(checksum(&found.name, found.body)),
            "the PNG is broken: the checksum of its chunk {name} does not fit"
        );
        match &found.name {
            b"IHDR" => header = Some(found.body),
            b"PLTE" => palette = Some(found.body),
            _ => {}
        }
        at = found.next;
    };
    let header = header.context("the PNG has no header")?;
    let header: &[u8; 13] = header
        .first_chunk()
        .context("the PNG is broken: its header is short")?;
    let data = Data::find(bytes, first)?;
    if !data.sound {
        data.check(header)?;
    }
    let mut out = bytes[..SIGNATURE].to_vec();
    write(&mut out, b"IHDR", header);
    if let (PALETTE, Some(palette)) = (header[9], palette) {
        write(&mut out, b"PLTE", palette);
    }
    write(&mut out, b"IDAT", &data.compressed);
    write(&mut out, b"IEND", &[]);
    Ok(out)
}

/// The picture's data, compressed.
struct Data {
    compressed: Vec<u8>,
    /// The checksums of its chunks fit.
    sound: bool,
}

impl Data {
    /// The bodies of the data chunks from `at` on, which follow each other.
    fn find(bytes: &[u8], mut at: usize) -> Result<Data> {
        let (mut compressed, mut sound) = (Vec::new(), true);
        let (mut reading, mut animated) = (true, false);
        while let Some(found) = chunk(bytes, at) {
            reading &= &found.name == b"IDAT";
            animated |= &found.name == b"fcTL";
            if reading {
                compressed.extend_from_slice(found.body);
                sound &= found.checksum == Some(checksum(&found.name, found.body));
            } else if animated || &found.name == b"IEND" {
                break;
            } else if !found.whole {
                bail!("the PNG ends early\nhint: it may be truncated");
            }
            at = found.next;
        }
        Ok(Data { compressed, sound })
    }

    /// Looks at the checksum of what is compressed, which the decoder of sound files does not do.
    fn check(&self, header: &[u8; 13]) -> Result<()> {
        let size = raw_size(header)?;
        let broken = "the PNG is broken: its data do not decompress";
        match decompress_to_vec_zlib_with_limit(&self.compressed, size) {
            Ok(_) => Ok(()),
            // Data that end early are told by the decoder, and data too many never looked at.
            Err(why) if why.status == TINFLStatus::FailedCannotMakeProgress => Ok(()),
            Err(why) if why.status == TINFLStatus::HasMoreOutput => Ok(()),
            Err(_) => bail!(broken),
        }
    }
}

/// Bytes of the decompressed data: rows of bits, each behind a byte for its filter, in one pass or Adam7's seven.
fn raw_size(header: &[u8; 13]) -> Result<usize> {
    let [a, b, c, d, e, f, g, h, depth, colour, .., interlaced] = *header;
    let w = u32::from_be_bytes([a, b, c, d]) as usize;
    let h = u32::from_be_bytes([e, f, g, h]) as usize;
    within_limits(w, h)?;
    let channels = match colour {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    // Where a pass begins, and its steps.
    let adam7 = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    let passes = if interlaced == 0 {
        &[(0, 0, 1, 1)][..]
    } else {
        &adam7[..]
    };
    let bytes = passes.iter().map(|&(x, y, across, down)| {
        let w = w.saturating_sub(x).div_ceil(across);
        let rows = h.saturating_sub(y).div_ceil(down);
        if w == 0 {
            return 0;
        }
        rows * (1 + (w * channels * usize::from(depth)).div_ceil(8))
    });
    Ok(bytes.sum())
}

fn checksum(name: &[u8; 4], body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(name);
    crc.update(body);
    crc.finalize()
}

fn write(out: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(body);
    out.extend_from_slice(&checksum(name, body).to_be_bytes());
}
