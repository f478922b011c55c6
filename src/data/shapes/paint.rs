//! From a scene's parts to pixels, row by row: ground, soft shadow, rim, lit fill.

use super::backdrop::Backdrop;
use super::figure::Figure;
use super::palette::Palette;

/// All that is seen in a picture.
pub(super) struct Parts {
    pub figure: Figure,
    pub palette: Palette,
    pub backdrop: Backdrop,
    /// Unit vector towards the light, x right, y down.
    pub light: [f32; 2],
}

/// The rim's band around the edge: mostly outside, so that thin figures keep their fill.
const RIM_OUTSIDE: f32 = 0.026;
const RIM_INSIDE: f32 = 0.016;
const SHADOW_OFFSET: f32 = 0.045;
const SHADOW_WIDTH: f32 = 0.06;
const SHADOW_DEPTH: f32 = 0.3;
const LIGHT: f32 = 0.16;

/// One row's intermediate values.
struct Row {
    distance: Vec<f32>,
    shadow: Vec<f32>,
    field: Vec<f32>,
    light: Vec<f32>,
    planes: [Vec<f32>; 3],
}

/// The picture as [side, side, 3] bytes.
pub(super) fn paint(parts: &Parts, side: usize) -> Vec<u8> {
    let zeros = || vec![0.0f32; side];
    let mut row = Row {
        distance: zeros(),
        shadow: zeros(),
        field: zeros(),
        light: zeros(),
        planes: [zeros(), zeros(), zeros()],
    };
    let mut pixels = vec![0u8; side * side * 3];
    for (j, out) in pixels.chunks_exact_mut(side * 3).enumerate() {
        let y = (j as f32 + 0.5) / side as f32;
        measure(parts, y, &mut row);
        for c in 0..3 {
            blend(parts, c, &mut row);
        }
        let [r, g, b] = &row.planes;
        for (((pixel, r), g), b) in out.chunks_exact_mut(3).zip(r).zip(g).zip(b) {
            pixel[0] = *r as u8;
            pixel[1] = *g as u8;
            pixel[2] = *b as u8;
        }
    }
    pixels
}

/// Distances, ground field and light along the row at height `y`.
fn measure(parts: &Parts, y: f32, row: &mut Row) {
    let figure = &parts.figure;
    let [lx, ly] = parts.light;
    figure.row(y, [0.0, 0.0], &mut row.distance);
    figure.row(
        y,
        [-SHADOW_OFFSET * lx, -SHADOW_OFFSET * ly],
        &mut row.shadow,
    );
    parts.backdrop.row(y, &mut row.field);
    for shadow in &mut row.shadow {
        let t = (0.5 - *shadow * (0.5 / SHADOW_WIDTH)).clamp(0.0, 1.0);
        *shadow = 1.0 - SHADOW_DEPTH * t * t * (3.0 - 2.0 * t);
    }
    let pixel = 1.0 / row.light.len() as f32;
    let scale = LIGHT / figure.radius;
    let down = (y - figure.centre[1]) * ly;
    for (i, light) in row.light.iter_mut().enumerate() {
        let x = (i as f32 + 0.5) * pixel - figure.centre[0];
        *light = 0.94 + scale * (x * lx + down);
    }
}

/// One colour plane of the row, in 0..256 ready to be truncated.
fn blend(parts: &Parts, c: usize, row: &mut Row) {
    let [a, b] = parts.palette.ground.map(|colour| colour[c]);
    let fill = parts.palette.fill[c];
    let rim = parts.palette.outline.map(|colour| colour[c]);
    let (outside, inside) = rim.map_or((0.0, 0.0), |_| (RIM_OUTSIDE, RIM_INSIDE));
    let sharpness = row.field.len() as f32;
    let out = &mut row.planes[c];
    let n = out.len();
    let (distance, shadow) = (&row.distance[..n], &row.shadow[..n]);
    let (field, light) = (&row.field[..n], &row.light[..n]);
    for i in 0..n {
        let ground = (a + (b - a) * field[i]) * shadow[i];
        let lit = (fill * light[i]).min(1.0);
        let body = (0.5 - (distance[i] + inside) * sharpness).clamp(0.0, 1.0);
        let whole = (0.5 - (distance[i] - outside) * sharpness).clamp(0.0, 1.0);
        let rim = rim.unwrap_or(lit);
        let figure = rim + (lit - rim) * body;
        out[i] = (ground + (figure - ground) * whole).clamp(0.0, 1.0) * 255.0 + 0.5;
    }
}
