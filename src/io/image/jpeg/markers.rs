//! A JPEG's markers (ITU-T T.81, annex B) up to its first scan, and whether the file is of an ordinary kind.

use crate::io::image::jpeg::tables::{self, Scans};
use anyhow::{Context, Result, bail, ensure};

const BASELINE: u8 = 0xc0;
const PROGRESSIVE: u8 = 0xc2;
const HUFFMAN: u8 = 0xc4;
const EXTENSION: u8 = 0xc8;
const ARITHMETIC: u8 = 0xcc;
const RESTART_0: u8 = 0xd0;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const QUANTISATION: u8 = 0xdb;
const RESTART_INTERVAL: u8 = 0xdd;
const APP_0: u8 = 0xe0;
const APP_14: u8 = 0xee;
const LAST_APP: u8 = 0xef;
const COMMENT: u8 = 0xfe;

/// Pixels of the largest file that is ordinary.
const LARGE: usize = 40_000_000;

/// A component's identifier and how often it is sampled across and down, relative to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    id: u8,
    across: u8,
    down: u8,
}

/// What the markers say before the first scan.
pub(super) struct Frame {
    process: u8,
    pub precision: u8,
    pub w: usize,
    pub h: usize,
    pub components: Vec<Component>,
    /// The colour transform that Adobe's segment names.
    adobe: Option<u8>,
    /// Only segments that an ordinary file has, each right behind the one before.
    plain: bool,
    /// Where the first scan's segment begins.
    scan: usize,
}

/// A marker and its segment, without the length.
struct Segment<'a> {
    marker: u8,
    body: &'a [u8],
    /// Where the marker stands, and where the next one is looked for.
    at: usize,
    next: usize,
    /// Whether other bytes lay before the marker.
    skipped: bool,
}

/// The marker at or after `from`, as libjpeg and Pillow look for it: other bytes are passed over.
fn segment(bytes: &[u8], from: usize) -> Option<Segment<'_>> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&b| b == 0xff)?;
        let code = bytes[at..].iter().position(|&b| b != 0xff)?;
        if bytes[at + code] != 0 {
            at += code - 1;
            break;
        }
        at += code + 1;
    }
    let marker = bytes[at + 1];
    let (body, next) = match marker {
        // These stand alone.
        0x01 | RESTART_0..=END => (&[][..], at + 2),
        _ => {
            let length = bytes.get(at + 2..at + 4)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let end = at + 2 + length.max(2);
            (bytes.get(at + 4..end)?, end)
        }
    };
    Some(Segment {
        marker,
        body,
        at,
        next,
        skipped: at > from,
    })
}

impl Frame {
    /// Reads the markers up to the first scan.
    pub fn find(bytes: &[u8]) -> Result<Frame> {
        let mut frame: Option<Frame> = None;
        let (mut adobe, mut plain) = (None, true);
        let mut from = 2;
        loop {
            let early = "the JPEG ends before its first scan\nhint: it may be truncated";
            let found = segment(bytes, from).context(early)?;
            plain &= !found.skipped;
            from = found.next;
            match found.marker {
                HUFFMAN => plain &= tables::huffman_fits(found.body),
                QUANTISATION => plain &= tables::quantisation_fits(found.body),
                RESTART_INTERVAL => plain &= found.body.len() == 2,
                COMMENT => {}
                0xc0..=0xcf if !matches!(found.marker, EXTENSION | ARITHMETIC) => {
                    let read = Frame::read(found.marker, found.body)?;
                    plain &= frame.is_none() && read.plain;
                    frame = Some(read);
                }
                APP_14 => adobe = adobe_transform(found.body).or(adobe),
                APP_0..=LAST_APP => {}
                SCAN => {
                    let mut frame = frame.context("the JPEG has a scan before its size")?;
                    (frame.adobe, frame.plain, frame.scan) = (adobe, plain, found.at);
                    return Ok(frame);
                }
                // Pillow knows no such markers, and libjpeg none of them but 0x01.
                0x01..=0xbf => bail!("the JPEG is broken: it has a marker 0x{:02x}", found.marker),
                _ => plain = false,
            }
        }
    }

    fn read(process: u8, body: &[u8]) -> Result<Frame> {
        let broken = "the JPEG is broken: its size is cut off";
        let (head, rest) = body.split_first_chunk::<6>().context(broken)?;
        let (components, more) = rest.as_chunks::<3>();
        ensure!(components.len() == usize::from(head[5]), broken);
        let component = |c: &[u8; 3]| Component {
            id: c[0],
            across: c[1] >> 4,
            down: c[1] & 15,
        };
        Ok(Frame {
            process,
            precision: head[0],
            h: usize::from(u16::from_be_bytes([head[1], head[2]])),
            w: usize::from(u16::from_be_bytes([head[3], head[4]])),
            components: components.iter().map(component).collect(),
            adobe: None,
            plain: more.is_empty(),
            scan: 0,
        })
    }

    /// The file without what follows its end marker, where it is of an ordinary kind:
    /// baseline or progressive, with Huffman codes;
    /// grey, or YCbCr by everybody's rule (components 1, 2 and 3, no Adobe segment that says otherwise);
    /// chroma of full size, of half the width, or of half the width and height;
    /// at most `LARGE` pixels, because libjpeg takes less memory;
    /// and after the first scan nothing but scans and their tables up to an end marker.
    pub fn ordinary<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let known = matches!(self.process, BASELINE | PROGRESSIVE);
        let usual = match self.components[..] {
            [grey] => (grey.across, grey.down) == (1, 1),
            [y, cb, cr] => {
                let sampled = |c: Component| (c.across, c.down);
                [y.id, cb.id, cr.id] == [1, 2, 3]
                    && matches!(self.adobe, None | Some(1))
                    && matches!(sampled(y), (1, 1) | (2, 1) | (2, 2))
                    && [cb, cr].iter().all(|&c| sampled(c) == (1, 1))
            }
            _ => false,
        };
        let small = self.w * self.h <= LARGE;
        if known && usual && small && self.plain {
            return self.whole(bytes);
        }
        None
    }

    /// The file up to its end marker, where only scans that belong together, their tables and restart markers in order
    /// come before it.
    fn whole<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let names = self.components.iter().map(|c| c.id).collect();
        let mut scans = Scans::of(names, self.process == PROGRESSIVE);
        let mut from = self.scan;
        // Within a scan, the restart marker that comes next.
        let mut restart = None;
        loop {
            let found = segment(bytes, from)?;
            let first = found.at == self.scan;
            if found.skipped && restart.is_none() {
                return None;
            }
            restart = match found.marker {
                END => return scans.complete().then_some(&bytes[..found.next]),
                SCAN if (first || self.process == PROGRESSIVE) && scans.add(found.body) => {
                    Some(RESTART_0)
                }
                marker if Some(marker) == restart => Some(RESTART_0 + (marker + 1) % 8),
                HUFFMAN if tables::huffman_fits(found.body) => None,
                RESTART_INTERVAL if found.body.len() == 2 => None,
                _ => return None,
            };
            from = found.next;
        }
    }
}

fn adobe_transform(body: &[u8]) -> Option<u8> {
    (body.len() >= 12 && body.starts_with(b"Adobe")).then(|| body[11])
}
