//! The font of the PNGs, cut down to the characters of one picture and embedded, so that a chart needs no font of the
//! machine that shows it and looks the same on all.

use anyhow::{Context, Result, anyhow};
use miniz_oxide::deflate::compress_to_vec_zlib;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish, Name, Pdf, Rect, Ref, Str};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use subsetter::{GlyphRemapper, subset};
use ttf_parser::Face;

/// Ubuntu Light, as the PNGs have it.
const BYTES: &[u8] = epaint_default_fonts::UBUNTU_LIGHT;
/// Its PostScript name.
const NAME: &str = "Ubuntu-Light";
/// Glyphs are named by two bytes each, in the order of the embedded font.
const IDENTITY: SystemInfo = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};
/// zlib's level of most effort.
const LEVEL: u8 = 9;

/// The characters of a picture as glyphs of a font of their own.
pub struct Font {
    face: Face<'static>,
    /// The glyph of each character, in the whole font and in the embedded one; 0 is a box, for what the font does not have.
    glyphs: BTreeMap<char, (ttf_parser::GlyphId, u16)>,
    remapper: GlyphRemapper,
}

/// The objects of a font in a PDF; the first is the one that pages name.
#[derive(Clone, Copy)]
pub struct Objects {
    pub font: Ref,
    pub descendant: Ref,
    pub descriptor: Ref,
    pub unicode: Ref,
    pub file: Ref,
}

impl Font {
    /// The font of these texts. The order of the texts changes nothing.
    ///
    /// # Errors
    /// Where the embedded font cannot be read.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Font> {
        let face = Face::parse(BYTES, 0).context("reading the font")?;
        let mut glyphs = BTreeMap::new();
        for c in texts.flat_map(str::chars) {
            glyphs.entry(c).or_insert_with(|| {
                let glyph = face.glyph_index(c).unwrap_or_default();
                (glyph, 0)
            });
        }
        let mut remapper = GlyphRemapper::new();
        for (glyph, own) in glyphs.values_mut() {
            *own = remapper.remap(glyph.0);
        }
        Ok(Font {
            face,
            glyphs,
            remapper,
        })
    }

    /// A text as the two bytes of each glyph.
    pub fn encoded(&self, text: &str) -> Vec<u8> {
        let known = text.chars().filter_map(|c| self.glyphs.get(&c));
        known.flat_map(|(_, own)| own.to_be_bytes()).collect()
    }

    /// The width of a text of size 1.
    pub fn width(&self, text: &str) -> f64 {
        let known = text.chars().filter_map(|c| self.glyphs.get(&c));
        let advances = known.map(|(glyph, _)| self.face.glyph_hor_advance(*glyph));
        let units: f64 = advances.map(|units| f64::from(units.unwrap_or(0))).sum();
        units / f64::from(self.face.units_per_em())
    }

    /// The height of an `x` of size 1.
    pub fn x_height(&self) -> f64 {
        let height = self.face.x_height().unwrap_or(0);
        f64::from(height) / f64::from(self.face.units_per_em())
    }

    /// Writes the font into a PDF.
    ///
    /// # Errors
    /// Where the font cannot be cut down.
    pub fn embed(&self, pdf: &mut Pdf, objects: Objects) -> Result<()> {
        let file = subset(BYTES, 0, &self.remapper)
            .map_err(|e| anyhow!("cutting the font down to a chart's characters: {e}"))?;
        let name = format!("{}+{NAME}", tag(&file));
        let name = Name(name.as_bytes());
        pdf.type0_font(objects.font)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(objects.descendant)
            .to_unicode(objects.unicode);
        let mut descendant = pdf.cid_font(objects.descendant);
        descendant
            .subtype(CidFontType::Type2)
            .base_font(name)
            .system_info(IDENTITY)
            .font_descriptor(objects.descriptor)
            .cid_to_gid_map_predefined(Name(b"Identity"));
        let advances = self.remapper.remapped_gids().map(|glyph| {
            let advance = self.face.glyph_hor_advance(ttf_parser::GlyphId(glyph));
            self.thousandths(advance.unwrap_or(0) as i16)
        });
        descendant.widths().consecutive(0, advances);
        descendant.finish();
        self.describe(pdf, objects, name);
        let compressed = compress_to_vec_zlib(&file, LEVEL);
        let mut stream = pdf.stream(objects.file, &compressed);
        stream.filter(Filter::FlateDecode);
        stream.pair(Name(b"Length1"), file.len() as i32);
        stream.finish();
        let compressed = compress_to_vec_zlib(&self.unicode(), LEVEL);
        pdf.cmap(objects.unicode, &compressed)
            .filter(Filter::FlateDecode);
        Ok(())
    }

    /// The measures of the whole font.
    fn describe(&self, pdf: &mut Pdf, objects: Objects, name: Name) {
        let face = &self.face;
        let bounds = face.global_bounding_box();
        let [left, bottom, right, top] = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max]
            .map(|units| self.thousandths(units));
        pdf.font_descriptor(objects.descriptor)
            .name(name)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(left, bottom, right, top))
            .italic_angle(0.0)
            .ascent(self.thousandths(face.ascender()))
            .descent(self.thousandths(face.descender()))
            .cap_height(self.thousandths(face.capital_height().unwrap_or(0)))
            // Of a light font; viewers use it where they have no file.
            .stem_v(60.0)
            .font_file2(objects.file);
    }

    /// Which character each glyph is, so that texts are found and copied.
    fn unicode(&self) -> Vec<u8> {
        let mut map = UnicodeCmap::new(Name(b"Characters"), IDENTITY);
        let mut named: BTreeMap<u16, char> = BTreeMap::new();
        for (c, (_, own)) in self.glyphs.iter().filter(|(_, (_, own))| *own > 0) {
            named.entry(*own).or_insert(*c);
        }
        for (glyph, c) in named {
            map.pair(glyph, c);
        }
        map.finish().into_vec()
    }

    /// Units of the font as thousandths of its size.
    fn thousandths(&self, units: i16) -> f32 {
        (f64::from(units) * 1000.0 / f64::from(self.face.units_per_em())) as f32
    }
}

/// The six capital letters that name a part of a font (ISO 32000-1, 9.6.4), made from its bytes.
fn tag(file: &[u8]) -> String {
    let digest = Sha256::digest(file);
    let letters = digest
        .iter()
        .take(6)
        .map(|byte| char::from(b'A' + byte % 26));
    letters.collect()
}
