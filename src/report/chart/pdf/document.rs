//! A picture to the bytes of a PDF. The same picture gives the same bytes: nothing in them tells when or where they were
//! written.

use crate::report::chart::pdf::font::{Font, Objects};
use crate::report::chart::picture::{Anchor, At, Colour, Mark, Picture};
use anyhow::Result;
use miniz_oxide::deflate::compress_to_vec_zlib;
use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::writers::Page;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use std::collections::BTreeMap;

/// How far below its middle, in font sizes, a text stands so that digits are centred, as in SVG.
const DROP: f64 = 0.09;
/// The length of a Bézier curve's handles that makes it a quarter of a circle of radius 1.
const QUARTER: f64 = 0.552_284_75;
/// The name of the font in the page's stream.
const FONT: Name = Name(b"F");
/// The newest that pdfTeX takes without a warning is 1.5; shades need 1.4.
const VERSION: (u8, u8) = (1, 4);

/// One page of the picture's width and height times `points`, the points (1/72 inch) a unit of the picture. Its texts are of
/// the embedded font, and its background is that of the paper it is put on.
///
/// # Errors
/// Where the font cannot be embedded.
pub fn pdf(picture: &Picture, points: f64) -> Result<Vec<u8>> {
    let texts = picture.marks.iter().filter_map(|mark| match mark {
        Mark::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let sheet = Sheet {
        font: Font::of(texts)?,
        height: picture.height * points,
        points,
    };
    let shades = shades(picture);
    let mut content = Content::new();
    content.set_line_join(LineJoinStyle::RoundJoin);
    content.set_line_cap(LineCapStyle::ButtCap);
    for mark in &picture.marks {
        sheet.mark(&mut content, mark, &shades);
    }
    let [catalog, pages, page, stream, info] = [1, 2, 3, 4, 5].map(Ref::new);
    let [font, descendant, descriptor, unicode, file] = [6, 7, 8, 9, 10].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.set_version(VERSION.0, VERSION.1);
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let size = (rounded(picture.width * points), rounded(sheet.height));
    let mut sized = pdf.page(page);
    sized.media_box(Rect::new(0.0, 0.0, size.0, size.1));
    sized.parent(pages).contents(stream);
    resources(&mut sized, font, &shades);
    sized.finish();
    let compressed = compress_to_vec_zlib(&content.finish(), 9);
    pdf.stream(stream, &compressed).filter(Filter::FlateDecode);
    let producer = format!("runner {}", env!("CARGO_PKG_VERSION"));
    pdf.document_info(info)
        .title(TextStr(&picture.title))
        .producer(TextStr(&producer));
    let objects = Objects {
        font,
        descendant,
        descriptor,
        unicode,
        file,
    };
    sheet.font.embed(&mut pdf, objects)?;
    Ok(pdf.finish())
}

/// What the page's stream names: the font, and how opaque fills are.
fn resources(page: &mut Page, font: Ref, shades: &Shades) {
    let mut resources = page.resources();
    resources.fonts().pair(FONT, font);
    let mut states = resources.ext_g_states();
    for (alpha, name) in shades.values() {
        let mut state = states.insert(Name(name.as_bytes())).dict();
        state.pair(Name(b"Type"), Name(b"ExtGState"));
        state.pair(Name(b"ca"), rounded(*alpha));
    }
}

/// How opaque fills are, each with the name of its state, by their bits.
type Shades = BTreeMap<u64, (f64, String)>;

/// The shades of a picture; 1 is one of them where there is another.
fn shades(picture: &Picture) -> Shades {
    let mut shades = Shades::new();
    for mark in &picture.marks {
        if let Mark::Fill { alpha, .. } = mark
            && *alpha < 1.0
        {
            shades.insert(alpha.to_bits(), (*alpha, String::new()));
            shades.insert(1f64.to_bits(), (1.0, String::new()));
        }
    }
    for (i, (_, name)) in shades.values_mut().enumerate() {
        *name = format!("A{i}");
    }
    shades
}

/// A page that is being filled: points from its lower left corner, where a picture has units from its upper left one.
struct Sheet {
    font: Font,
    height: f64,
    points: f64,
}

impl Sheet {
    fn at(&self, (x, y): At) -> (f32, f32) {
        (
            rounded(x * self.points),
            rounded(self.height - y * self.points),
        )
    }

    fn mark(&self, content: &mut Content, mark: &Mark, shades: &Shades) {
        match mark {
            Mark::Line {
                points,
                colour,
                width,
            } => {
                let [red, green, blue] = shares(*colour);
                content.set_stroke_rgb(red, green, blue);
                content.set_line_width(rounded(width * self.points));
                self.path(content, points);
                content.stroke();
            }
            Mark::Fill {
                points,
                colour,
                alpha,
            } => {
                let shade = shades.get(&alpha.to_bits());
                let shade = shade.filter(|(alpha, _)| *alpha < 1.0);
                if let Some((_, name)) = shade {
                    content.set_parameters(Name(name.as_bytes()));
                }
                fill(content, *colour);
                self.path(content, points);
                content.close_path().fill_nonzero();
                let whole = shades.get(&1f64.to_bits()).filter(|_| shade.is_some());
                if let Some((_, name)) = whole {
                    content.set_parameters(Name(name.as_bytes()));
                }
            }
            Mark::Disc { at, radius, colour } => {
                fill(content, *colour);
                self.disc(content, *at, *radius);
            }
            Mark::Text { .. } => self.text(content, mark),
        }
    }

    fn path(&self, content: &mut Content, points: &[At]) {
        for (i, point) in points.iter().enumerate() {
            let (x, y) = self.at(*point);
            if i == 0 {
                content.move_to(x, y);
            } else {
                content.line_to(x, y);
            }
        }
    }

    /// A circle of four curves.
    fn disc(&self, content: &mut Content, (x, y): At, radius: f64) {
        let handle = QUARTER * radius;
        // A quarter's end, and the direction in which the curve leaves it.
        let ends = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0), (1.0, 0.0)];
        let place = |(u, v): At, turned: f64| {
            let (du, dv) = (-v * turned, u * turned);
            self.at((x + radius * u + handle * du, y + radius * v + handle * dv))
        };
        let (first_x, first_y) = place(ends[0], 0.0);
        content.move_to(first_x, first_y);
        for pair in ends.windows(2) {
            let (leaving, arriving) = (place(pair[0], 1.0), place(pair[1], -1.0));
            let end = place(pair[1], 0.0);
            content.cubic_to(leaving.0, leaving.1, arriving.0, arriving.1, end.0, end.1);
        }
        content.close_path().fill_nonzero();
    }

    fn text(&self, content: &mut Content, mark: &Mark) {
        let Mark::Text {
            at,
            text,
            size,
            colour,
            anchor,
        } = mark
        else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let left = match anchor {
            Anchor::Left => 0.0,
            Anchor::Centre => 0.5,
            Anchor::Right => 1.0,
        };
        let left = at.0 - left * size * self.font.width(text);
        let (x, y) = self.at((left, at.1 + (DROP + 0.5 * self.font.x_height()) * size));
        content.begin_text();
        fill(content, *colour);
        content.set_font(FONT, rounded(size * self.points));
        content.next_line(x, y);
        content.show(Str(&self.font.encoded(text)));
        content.end_text();
    }
}

fn fill(content: &mut Content, colour: Colour) {
    let [red, green, blue] = shares(colour);
    content.set_fill_rgb(red, green, blue);
}

/// A colour's parts in 0..=1.
fn shares((red, green, blue): Colour) -> [f32; 3] {
    [red, green, blue].map(|part| rounded(f64::from(part) / 255.0))
}

/// To thousandths: finer than any printer, and short to write.
fn rounded(value: f64) -> f32 {
    ((value * 1000.0).round() / 1000.0) as f32
}
