//! A reader of the PDFs of charts: the objects and streams of one page, and what its operators draw.

use miniz_oxide::inflate::decompress_to_vec_zlib;
use std::collections::BTreeMap;

pub struct PdfFile {
    pub bytes: Vec<u8>,
    /// The text of each object's dictionary by its number, and its stream, inflated.
    objects: BTreeMap<usize, (String, Vec<u8>)>,
}

/// A text as a page has it.
#[derive(Debug)]
pub struct Shown {
    pub text: String,
    pub size: f64,
    /// Where its base line begins and ends, in points from the lower left corner.
    pub x: (f64, f64),
    pub y: f64,
}

impl PdfFile {
    /// Reads every object through the table at the end, so that a wrong place fails.
    pub fn read(bytes: Vec<u8>) -> PdfFile {
        assert!(bytes.starts_with(b"%PDF-1.4\n"));
        assert!(bytes.ends_with(b"%%EOF\n") || bytes.ends_with(b"%%EOF"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let table = text.rsplit_once("startxref").unwrap().1;
        let table: usize = table.split_whitespace().next().unwrap().parse().unwrap();
        let lines = String::from_utf8_lossy(&bytes[table..]).into_owned();
        let mut lines = lines.lines();
        assert_eq!(lines.next(), Some("xref"));
        let count = lines.next().unwrap().split_once(' ').unwrap().1;
        let count: usize = count.trim().parse().unwrap();
        let mut objects = BTreeMap::new();
        for (number, line) in lines.take(count).enumerate().skip(1) {
            let at: usize = line.split(' ').next().unwrap().parse().unwrap();
            objects.insert(number, object(&bytes[at..], number));
        }
        PdfFile { bytes, objects }
    }

    /// The dictionaries that hold this text.
    pub fn dictionaries(&self, part: &str) -> Vec<&str> {
        let texts = self.objects.values().map(|(text, _)| text.as_str());
        texts.filter(|text| text.contains(part)).collect()
    }

    /// Width and height of the page in points.
    pub fn size(&self) -> (f64, f64) {
        let page = self.dictionaries("/MediaBox")[0];
        let sides = numbers(page, "/MediaBox [");
        assert_eq!(sides[..2], [0.0, 0.0]);
        (sides[2], sides[3])
    }

    /// The stream that a key of some dictionary leads to.
    pub fn stream(&self, key: &str) -> &[u8] {
        let found = self.dictionaries(key)[0];
        let number = found.split_once(key).unwrap().1.split_whitespace().next();
        &self.objects[&number.unwrap().parse().unwrap()].1
    }

    /// The page's operators, a line each.
    pub fn content(&self) -> Vec<u8> {
        self.stream("/Contents ").to_vec()
    }

    /// Every text of the page in its order, read back through the font's own table of characters.
    pub fn texts(&self) -> Vec<Shown> {
        let characters = self.characters();
        let widths = numbers(self.dictionaries("/W [")[0], "/W [0 [");
        let content = self.content();
        let (mut size, mut at) = (0.0, (0.0, 0.0));
        let mut shown = Vec::new();
        for line in content.split(|b| *b == b'\n') {
            let words = String::from_utf8_lossy(line).into_owned();
            let words: Vec<&str> = words.split(' ').collect();
            match words.as_slice() {
                ["/F", of, "Tf"] => size = of.parse().unwrap(),
                [x, y, "Td"] => at = (x.parse().unwrap(), y.parse().unwrap()),
                [.., "Tj"] => {
                    let glyphs = glyphs(line);
                    let length: f64 = glyphs
                        .iter()
                        .map(|g| widths[*g as usize] * size / 1000.0)
                        .sum();
                    shown.push(Shown {
                        text: glyphs.iter().map(|g| characters[g]).collect(),
                        size,
                        x: (at.0, at.0 + length),
                        y: at.1,
                    });
                }
                _ => {}
            }
        }
        shown
    }

    /// The character of each glyph.
    fn characters(&self) -> BTreeMap<u16, char> {
        let map = String::from_utf8(self.stream("/ToUnicode ").to_vec()).unwrap();
        let body = map.split_once("beginbfchar\n").unwrap().1;
        let body = body.split_once("endbfchar").unwrap().0;
        let pair = |line: &str| {
            let (glyph, unicode) = line.split_once("> <").unwrap();
            let code = |hex: &str| u16::from_str_radix(hex.trim_matches(['<', '>']), 16).unwrap();
            (
                code(glyph),
                char::from_u32(u32::from(code(unicode))).unwrap(),
            )
        };
        body.lines().map(pair).collect()
    }
}

/// An object's dictionary and stream.
fn object(bytes: &[u8], number: usize) -> (String, Vec<u8>) {
    let end = find(bytes, b"endobj");
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    assert!(text.starts_with(&format!("{number} 0 obj\n")), "{text}");
    let Some((dictionary, _)) = text.split_once("stream\n") else {
        return (text, Vec::new());
    };
    let length = numbers(dictionary, "/Length ")[0] as usize;
    let start = find(bytes, b"stream\n") + 7;
    let stream = &bytes[start..start + length];
    assert_eq!(&bytes[start + length..start + length + 10], b"\nendstream");
    assert!(dictionary.contains("/Filter /FlateDecode"));
    (
        dictionary.to_string(),
        decompress_to_vec_zlib(stream).unwrap(),
    )
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    let found = bytes.windows(part.len()).position(|window| window == part);
    found.unwrap()
}

/// The numbers behind `key`, up to what is none.
fn numbers(text: &str, key: &str) -> Vec<f64> {
    let rest = text
        .split_once(key)
        .unwrap_or_else(|| panic!("{key} in {text}"))
        .1;
    let words = rest.split([' ', ']', '\n']);
    words.map_while(|word| word.parse().ok()).collect()
}

/// The glyphs of the string that a line shows: in brackets with escapes, or in hexadecimal digits.
fn glyphs(line: &[u8]) -> Vec<u16> {
    let string = &line[..line.len() - 3];
    let inside = &string[1..string.len() - 1];
    let bytes: Vec<u8> = if string[0] == b'<' {
        let digit = |b: u8| char::from(b).to_digit(16).unwrap() as u8;
        inside
            .chunks(2)
            .map(|pair| 16 * digit(pair[0]) + digit(pair[1]))
            .collect()
    } else {
        unescaped(inside)
    };
    let pairs = bytes.chunks(2);
    pairs
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next().unwrap() {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            digit @ b'0'..=b'7' => {
                let more = [rest.next().unwrap(), rest.next().unwrap()];
                more.iter()
                    .fold(digit - b'0', |n, d| n.wrapping_mul(8) + (d - b'0'))
            }
            other => other,
        });
    }
    out
}
