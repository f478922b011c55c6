//! WebP's container (RFC 9649), checked as libwebp's demuxer checks it.

use anyhow::{Context, Result, ensure};

const HEADER: usize = 12;
const EARLY: &str = "the WebP ends early\nhint: it may be truncated";

/// The file up to the end that its header claims; what follows is no part of it.
///
/// # Errors
/// Where the file is shorter, or a chunk ends outside.
pub(crate) fn whole(bytes: &[u8]) -> Result<&[u8]> {
    let size = length(bytes, 4).context(EARLY)?;
    let file = bytes.get(..size.saturating_add(8)).context(EARLY)?;
    let extended = file.get(HEADER..HEADER + 4) == Some(b"VP8X");
    let mut at = HEADER;
    loop {
        let body = length(file, at + 4).context(EARLY)?;
        at = at
            .saturating_add(8)
            .saturating_add(body.next_multiple_of(2));
        ensure!(
            at <= file.len(),
            "the WebP is broken: a chunk is longer than the file"
        );
        if !extended || at == file.len() {
            return Ok(file);
        }
    }
}

fn length(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..at + 4)?.first_chunk()?;
    Some(u32::from_le_bytes(*length) as usize)
}
