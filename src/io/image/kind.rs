//! What kind of picture a file is, told by its first bytes: the kinds that are read, and those that are not.

/// The kinds that are read, as a message names them.
pub const READ_KINDS: &str = "PNG, JPEG, WebP and BMP";

/// Bytes of a file's beginning from which its kind is told. A shorter head will do for most kinds.
pub const HEAD: usize = 64;

/// What files of a kind begin with.
type Magic = (&'static [u8], &'static str);

const READ: [Magic; 3] = [
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
];

const UNREAD: [Magic; 31] = [
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"8BPS", "PSD"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"BPG\xfb", "BPG"),
    (b"FLIF", "FLIF"),
    (b"FITS", "FITS"),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"\x0a\x05\x01", "PCX"),
    (b"/* XPM */", "XPM"),
    (b"%!PS", "PostScript"),
    (b"gimp xcf", "XCF"),
    (b"icns", "ICNS"),
    (b"\x01\xda\0\x01", "SGI"),
    (b"\x01\xda\x01\x01", "SGI"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
    (b"\x8aMNG\r\n\x1a\n", "MNG"),
    (b"\x8bJNG\r\n\x1a\n", "JNG"),
];

/// The kind that `head` begins, where it is one that is read; of a JPEG, PNG, WebP or BMP file that is broken further on
/// as well.
pub fn read_kind(head: &[u8]) -> Option<&'static str> {
    if head.len() >= 12 && head.starts_with(b"RIFF") && &head[8..12] == b"WEBP" {
        return Some("WebP");
    }
    named(&READ, head)
}

/// True where `head` begins a picture of a kind that is read (`READ_KINDS`).
pub fn recognise(head: &[u8]) -> bool {
    read_kind(head).is_some()
}

/// The kind that `head` begins, where it is a picture of a kind that is not read. Kinds without a signature of their own
/// (raw pixels, headerless BMP) are none of these.
pub fn unread_kind(head: &[u8]) -> Option<&'static str> {
    named(&UNREAD, head)
        .or_else(|| in_media_file(head))
        .or_else(|| anymap(head))
        .or_else(|| icon(head))
        .or_else(|| markup(head))
}

fn named(kinds: &[Magic], head: &[u8]) -> Option<&'static str> {
    let (_, kind) = kinds.iter().find(|(magic, _)| head.starts_with(magic))?;
    Some(kind)
}

/// ISO base media files (ISO/IEC 14496-12): the brand says what is inside, or the list of compatible brands where the
/// first is a general one.
fn in_media_file(head: &[u8]) -> Option<&'static str> {
    if head.get(4..8)? != b"ftyp" {
        return None;
    }
    let size = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
    let compatible = head.get(16..size.min(head.len())).unwrap_or_default();
    let brands = head.get(8..12).into_iter().chain(compatible.chunks(4));
    let mut general = None;
    for brand in brands {
        match brand {
            b"avif" | b"avis" => return Some("AVIF"),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => return Some("HEIC"),
            b"jp2 " | b"jpx " => return Some("JPEG 2000"),
            b"crx " => return Some("CR3"),
            b"mif1" | b"msf1" | b"mif2" => general = Some("HEIF"),
            _ => {}
        }
    }
    general
}

/// Netpbm's formats: `P` and a digit, then white space or a comment.
fn anymap(head: &[u8]) -> Option<&'static str> {
    let [b'P', form, b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] = head else {
        return None;
    };
    match form {
        b'1' | b'4' => Some("PBM"),
        b'2' | b'5' => Some("PGM"),
        b'3' | b'6' => Some("PPM"),
        b'7' => Some("PAM"),
        b'f' | b'F' => Some("PFM"),
        _ => None,
    }
}

/// Windows icons and cursors: a directory of at least one entry, whose reserved byte is 0.
fn icon(head: &[u8]) -> Option<&'static str> {
    let [0, 0, form @ (1 | 2), 0, count, 0, _, _, _, 0, ..] = head else {
        return None;
    };
    if *count == 0 {
        return None;
    }
    Some(if *form == 1 { "ICO" } else { "CUR" })
}

/// SVG, with or without XML's first line.
fn markup(head: &[u8]) -> Option<&'static str> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start();
    let svg = text.starts_with(b"<svg")
        || text.starts_with(b"<!DOCTYPE svg")
        || text.starts_with(b"<?xml") && text.windows(4).any(|part| part == b"<svg");
    svg.then_some("SVG")
}
