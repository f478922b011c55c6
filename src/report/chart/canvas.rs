//! A picture to pixels and PNG bytes, through plotters.

use crate::report::chart::picture::{Anchor, Mark, Picture};
use anyhow::{Context, Result, anyhow};
use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle, register_font};
use std::sync::Once;

/// plotters' font size for text of one pixel.
const EM: f64 = 1.24;
/// In a browser the first of these that the machine has; in a PNG the Ubuntu that travels with the program.
pub const FONT: &str = "Ubuntu, Helvetica, Arial, sans-serif";
/// How far below its middle, in font sizes, plotters must be told to set a text so that digits stand centred.
const DROP: f64 = 0.25;
/// A bitmap is drawn this much larger, then averaged, for smooth edges.
const GRAIN: usize = 3;

/// PNG bytes at `scale` pixels a pixel of the picture.
pub fn png(picture: &Picture, scale: usize) -> Result<Vec<u8>> {
    let (width, height) = whole(picture, scale as f64);
    encode(&raster(picture, scale)?, width as usize, height as usize)
}

/// 8-bit RGB [height, width, 3] on white, at `scale` pixels a pixel of the picture.
pub fn raster(picture: &Picture, scale: usize) -> Result<Vec<u8>> {
    let grain = scale * GRAIN;
    let (width, height) = whole(picture, grain as f64);
    let mut pixels = vec![255; width as usize * height as usize * 3];
    {
        let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
        paint(&backend.into_drawing_area(), picture, grain as f64)?;
    }
    Ok(shrink(&pixels, width as usize, GRAIN))
}

/// The width in pixels of a text as the PNG has it.
pub fn text_width(text: &str, size: f64) -> f64 {
    register();
    // Measured large: plotters answers in whole pixels.
    let boxed = (FONT, size * EM * 16.0).into_font().layout_box(text);
    boxed.map_or(0.6 * size * text.len() as f64, |((x0, _), (x1, _))| {
        (x1 - x0) as f64 / 16.0
    })
}

/// 8-bit RGB [height, width, 3] as PNG bytes.
pub fn encode(pixels: &[u8], width: usize, height: usize) -> Result<Vec<u8>> {
    use image::ImageEncoder;
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive)
        .write_image(
            pixels,
            width as u32,
            height as u32,
            image::ExtendedColorType::Rgb8,
        )
        .context("encoding a png")?;
    Ok(bytes)
}

fn whole(picture: &Picture, grain: f64) -> (u32, u32) {
    let size = |v: f64| (v.ceil() * grain) as u32;
    (size(picture.width), size(picture.height))
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Refused only for bytes that are no font.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
}

fn paint<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    picture: &Picture,
    grain: f64,
) -> Result<()> {
    register();
    let failed = |e: &dyn std::fmt::Display| anyhow!("drawing `{}`: {e}", picture.title);
    area.fill(&RGBColor(255, 255, 255))
        .map_err(|e| failed(&e))?;
    for mark in &picture.marks {
        draw(area, mark, grain).map_err(|e| failed(&e))?;
    }
    area.present().map_err(|e| failed(&e))
}

type Drawn<B> =
    Result<(), plotters::drawing::DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, mark: &Mark, grain: f64) -> Drawn<B> {
    let px = |at: &(f64, f64)| ((at.0 * grain).round() as i32, (at.1 * grain).round() as i32);
    let rgb = |c: &(u8, u8, u8)| RGBColor(c.0, c.1, c.2);
    match mark {
        Mark::Line {
            points,
            colour,
            width,
        } => {
            let style = ShapeStyle::from(rgb(colour)).stroke_width((width * grain).round() as u32);
            let points: Vec<(i32, i32)> = points.iter().map(px).collect();
            area.draw(&PathElement::new(points, style))
        }
        Mark::Fill {
            points,
            colour,
            alpha,
        } => {
            let points: Vec<(i32, i32)> = points.iter().map(px).collect();
            area.draw(&Polygon::new(points, rgb(colour).mix(*alpha).filled()))
        }
        Mark::Disc { at, radius, colour } => {
            let radius = (radius * grain).round() as i32;
            area.draw(&Circle::new(px(at), radius, rgb(colour).filled()))
        }
        Mark::Text {
            at,
            text,
            size,
            colour,
            anchor,
        } => {
            let side = match anchor {
                Anchor::Left => HPos::Left,
                Anchor::Centre => HPos::Center,
                Anchor::Right => HPos::Right,
            };
            let ink = rgb(colour);
            let style = TextStyle::from((FONT, size * EM * grain).into_font())
                .color(&ink)
                .pos(Pos::new(side, VPos::Center));
            let at = (at.0, at.1 + DROP * size);
            area.draw(&Text::new(text.as_str(), px(&at), style))
        }
    }
}

/// 8-bit RGB [height, width, 3] to [height / by, width / by, 3]: the mean of each `by` × `by` square, rounded.
pub fn shrink(pixels: &[u8], width: usize, by: usize) -> Vec<u8> {
    let height = pixels.len() / 3 / width;
    let mut out = Vec::with_capacity(pixels.len() / by / by);
    let area = (by * by) as u32;
    for y in 0..height / by {
        for x in 0..width / by {
            for c in 0..3 {
                let square = (0..by * by).map(|i| {
                    let (row, column) = (y * by + i / by, x * by + i % by);
                    pixels[(row * width + column) * 3 + c] as u32
                });
                out.push(((square.sum::<u32>() + area / 2) / area) as u8);
            }
        }
    }
    out
}
