//! PNG chunks: what the pixels depend on, checked as Pillow checks it.

use anyhow::{Context, Result, bail, ensure};

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
    ensure!(header.len() >= 13, "the PNG is broken: its header is short");
    let mut out = bytes[..SIGNATURE].to_vec();
    write(&mut out, b"IHDR", &header[..13]);
    if let (PALETTE, Some(palette)) = (header[9], palette) {
        write(&mut out, b"PLTE", palette);
    }
    write(&mut out, b"IDAT", &data(bytes, first)?);
    write(&mut out, b"IEND", &[]);
    Ok(out)
}

/// The bodies of the data chunks from `at` on, which follow each other.
fn data(bytes: &[u8], mut at: usize) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut reading = true;
    while let Some(found) = chunk(bytes, at) {
        reading &= &found.name == b"IDAT";
        if reading {
            data.extend_from_slice(found.body);
        } else if &found.name == b"IEND" {
            break;
        } else if !found.whole {
            bail!("the PNG ends early\nhint: it may be truncated");
        }
        at = found.next;
    }
    Ok(data)
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
