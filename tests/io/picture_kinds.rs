//! Files are told apart by their first bytes: what is read, what is a picture and not read, what is none.

use fidrunner::io::image::file::{self, read_kind, recognise, unread_kind};

fn media_file(brands: &[&[u8; 4]]) -> Vec<u8> {
    let mut file = (8 + 4 + 4 * brands.len() as u32).to_be_bytes().to_vec();
    file.extend(b"ftyp");
    file.extend(brands[0]);
    file.extend(b"\0\0\0\0");
    brands[1..].iter().for_each(|brand| file.extend(*brand));
    file.extend(b"\0\0\0\x20meta\0\0\0\0");
    file
}

#[test]
fn kinds_that_are_not_read_are_named() {
    let kinds: [(&str, &[u8]); 24] = [
        ("AVIF", &media_file(&[b"avif", b"mif1"])),
        ("AVIF", &media_file(&[b"mif1", b"mif1", b"avif"])),
        ("HEIC", &media_file(&[b"heic", b"mif1"])),
        ("HEIC", &media_file(&[b"mif1", b"heic"])),
        ("HEIF", &media_file(&[b"mif1", b"miaf"])),
        ("CR3", &media_file(&[b"crx ", b"isom"])),
        ("GIF", b"GIF89a\x01\0\x01\0"),
        ("TIFF", b"II*\0\x08\0\0\0"),
        ("TIFF", b"MM\0*\0\0\0\x08"),
        ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n\0\0"),
        ("JPEG 2000", b"\xff\x4f\xff\x51\0\x29"),
        ("JPEG XL", b"\xff\x0a\xfa\x7f"),
        ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n\0\0"),
        ("PSD", b"8BPS\0\x01"),
        ("QOI", b"qoif\0\0\0\x01"),
        ("PBM", b"P4\n8 8\n"),
        ("PGM", b"P5 8 8 255\n"),
        ("PPM", b"P6\n# by hand\n8 8\n255\n"),
        ("PFM", b"PF\n8 8\n-1.0\n"),
        ("ICO", b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0"),
        ("SVG", b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://"),
        ("SVG", b"\xef\xbb\xbf  <svg width=\"8\">"),
        ("OpenEXR", b"\x76\x2f\x31\x01\x02\0\0\0"),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0"),
    ];
    for (kind, head) in kinds {
        assert_eq!(unread_kind(head), Some(kind), "{head:?}");
        assert_eq!((read_kind(head), recognise(head)), (None, false), "{kind}");
        let why = format!("{:#}", file::decode(head).unwrap_err());
        assert!(why.contains(&format!("of kind {kind}")), "{why}");
    }
}

#[test]
fn kinds_that_are_read_are_named() {
    let kinds: [(&str, &[u8]); 4] = [
        ("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"),
        ("JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
        ("WebP", b"RIFF\x1a\0\0\0WEBPVP8L"),
        ("BMP", b"BM\x46\0\0\0\0\0\0\0"),
    ];
    for (kind, head) in kinds {
        assert_eq!((read_kind(head), unread_kind(head)), (Some(kind), None));
        assert!(file::READ_KINDS.contains(kind));
    }
}

#[test]
fn other_files_are_no_pictures() {
    let others: [&[u8]; 9] = [
        b"",
        b"P",
        b"P6",
        b"PK\x03\x04\x14\0",
        b"name,score\ncat,3\n",
        b"<?xml version=\"1.0\"?><html>",
        b"RIFF\x24\0\0\0WAVEfmt ",
        // MNIST's images, and a film.
        b"\0\0\x08\x03\0\0\xea\x60\0\0\0\x1c",
        &media_file(&[b"isom", b"avc1"]),
    ];
    for head in others {
        assert_eq!(
            (read_kind(head), unread_kind(head)),
            (None, None),
            "{head:?}"
        );
        assert!(file::decode(head).is_err());
    }
}

/// 16-bit grey as a PNG file.
fn grey16(values: &[u16]) -> Vec<u8> {
    let picture = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(
        values.len() as u32,
        1,
        values.to_vec(),
    );
    let mut file = std::io::Cursor::new(Vec::new());
    let picture = image::DynamicImage::from(picture.unwrap());
    picture
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner()
}

#[test]
fn grey_of_sixteen_bits_says_where_it_is_cut() {
    let fits = file::decode_noted(&grey16(&[0, 7, 255])).unwrap();
    assert!(!fits.cut);
    assert_eq!(fits.image.data, [0, 0, 0, 7, 7, 7, 255, 255, 255]);
    let cut = file::decode_noted(&grey16(&[0, 256, 65535])).unwrap();
    assert!(cut.cut);
    assert_eq!(cut.image.data, [0, 0, 0, 255, 255, 255, 255, 255, 255]);
}
