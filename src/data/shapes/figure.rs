//! The ten figures as signed distances (negative inside) in their own frame: y up, radius about 1.

use super::draws::Draws;
use std::f32::consts::PI;

/// Where a figure stands. Lengths are fractions of the picture's side, y points down the picture.
pub(super) struct Figure {
    pub class: usize,
    pub centre: [f32; 2],
    pub radius: f32,
    pub angle: f32,
}

/// How far a class may turn (radians either way) and after which fraction of a turn it repeats.
struct Turning {
    limit: f32,
    order: u32,
}

/// In the order of `CLASSES`; order 0 means that no turn can be seen.
const TURNING: [Turning; 10] = [
    turning(0.0, 0),
    turning(PI / 10.0, 4),
    turning(PI / 8.0, 3),
    turning(PI / 8.0, 5),
    turning(0.0, 0),
    turning(PI / 10.0, 4),
    turning(PI / 9.0, 1),
    turning(PI / 6.0, 1),
    turning(PI / 18.0, 6),
    turning(PI / 4.0, 1),
];

/// Sizes: flat-sided figures that could pass for a circle are drawn larger.
const RADIUS: [(f32, f32); 10] = [
    (0.28, 0.38),
    (0.29, 0.38),
    (0.33, 0.41),
    (0.34, 0.42),
    (0.31, 0.40),
    (0.31, 0.40),
    (0.31, 0.40),
    (0.32, 0.41),
    (0.33, 0.41),
    (0.34, 0.42),
];

const CRESCENT: usize = 7;

const fn turning(limit: f32, order: u32) -> Turning {
    Turning { limit, order }
}

impl Figure {
    pub fn draw(draws: &mut Draws, class: usize) -> Figure {
        let (low, high) = RADIUS[class];
        let radius = draws.range(low, high);
        let room = 0.49 - radius;
        let centre = [
            0.5 + draws.range(-room, room),
            0.5 + draws.range(-room, room),
        ];
        let limit = TURNING[class].limit;
        let mut angle = draws.range(-limit, limit);
        // A moon waxes or wanes: the world stays its own mirror image, so flips are harmless.
        if class == CRESCENT && draws.chance(0.5) {
            angle += PI;
        }
        Figure {
            class,
            centre,
            radius,
            angle,
        }
    }

    /// (sin, cos) of the angle times the order of the figure's symmetry; zeros where turns are invisible.
    pub fn turn(&self) -> [f32; 2] {
        match TURNING[self.class].order {
            0 => [0.0, 0.0],
            order => {
                let (sin, cos) = (order as f32 * self.angle).sin_cos();
                [sin, cos]
            }
        }
    }

    /// Signed distances (in sides) along the pixel row at height `y`, pixel i centred at (i + ½) / n, shifted by `shift`.
    pub fn row(&self, y: f32, shift: [f32; 2], out: &mut [f32]) {
        match self.class {
            0 => self.fill(y, shift, out, |u, v| (u * u + v * v).sqrt() - 0.95),
            1 => self.fill(y, shift, out, |u, v| u.abs().max(v.abs()) - 0.82),
            2 => self.fill(y, shift, out, triangle),
            3 => self.fill(y, shift, out, star),
            4 => self.fill(y, shift, out, |u, v| {
                ((u * u + v * v).sqrt() - 0.74).abs() - 0.23
            }),
            5 => self.fill(y, shift, out, cross),
            6 => self.fill(y, shift, out, heart),
            7 => self.fill(y, shift, out, crescent),
            8 => self.fill(y, shift, out, hexagon),
            _ => self.fill(y, shift, out, arrow),
        }
    }

    #[inline(always)]
    fn fill(&self, y: f32, shift: [f32; 2], out: &mut [f32], distance: impl Fn(f32, f32) -> f32) {
        let (sin, cos) = self.angle.sin_cos();
        let scale = 1.0 / self.radius;
        let pixel = 1.0 / out.len() as f32;
        let v = (self.centre[1] + shift[1] - y) * scale;
        let left = (0.5 * pixel - self.centre[0] - shift[0]) * scale;
        let step = pixel * scale;
        for (i, slot) in out.iter_mut().enumerate() {
            let u = left + step * i as f32;
            *slot = self.radius * distance(cos * u + sin * v, cos * v - sin * u);
        }
    }
}

const HALF_SQRT_3: f32 = 0.866_025_4;

/// Corners on the circle of radius 1.08 around a point a little below the middle.
fn triangle(u: f32, v: f32) -> f32 {
    let v = v + 0.18;
    (HALF_SQRT_3 * u.abs() + 0.5 * v).max(-v) - 0.56
}

/// Five tips at radius 1, five notches at 0.46: folded into a tenth of a turn, then the distance to one edge.
fn star(u: f32, v: f32) -> f32 {
    const TIP: f32 = 1.05;
    const NOTCH: [f32; 2] = [0.46 * 0.587_785_24, 0.46 * 0.809_017];
    let mut p = [u.abs(), v + 0.05];
    // Mirror lines of the pentagram, as unit normals.
    for n in [[0.809_017, -0.587_785_24], [-0.809_017, -0.587_785_24]] {
        let away = 2.0 * (p[0] * n[0] + p[1] * n[1]).max(0.0);
        p = [p[0] - away * n[0], p[1] - away * n[1]];
    }
    let p = [p[0].abs(), p[1] - TIP];
    let edge = [NOTCH[0], NOTCH[1] - TIP];
    let square = edge[0] * edge[0] + edge[1] * edge[1];
    let along = ((p[0] * edge[0] + p[1] * edge[1]) / square).clamp(0.0, 1.0);
    let off = [p[0] - along * edge[0], p[1] - along * edge[1]];
    let length = (off[0] * off[0] + off[1] * off[1]).sqrt();
    length.copysign(p[1] * edge[0] - p[0] * edge[1])
}

fn plank(u: f32, v: f32, half_u: f32, half_v: f32) -> f32 {
    (u.abs() - half_u).max(v.abs() - half_v)
}

fn cross(u: f32, v: f32) -> f32 {
    plank(u, v, 0.98, 0.32).min(plank(u, v, 0.32, 0.98))
}

/// A square on its corner with half discs on its two upper sides.
fn heart(u: f32, v: f32) -> f32 {
    const HALF: f32 = 0.8;
    const SIDE: f32 = HALF * std::f32::consts::SQRT_2;
    let (u, v) = (u.abs(), v + 0.12);
    let square = (u + v.abs() - HALF) * std::f32::consts::FRAC_1_SQRT_2;
    let (du, dv) = (u - 0.5 * HALF, v - 0.5 * HALF);
    square.min((du * du + dv * dv).sqrt() - 0.5 * SIDE)
}

/// A disc less a smaller one that bites from the right.
fn crescent(u: f32, v: f32) -> f32 {
    let u = u - 0.12;
    let disc = (u * u + v * v).sqrt() - 1.0;
    let bite = ((u - 0.52) * (u - 0.52) + v * v).sqrt() - 0.8;
    disc.max(-bite)
}

fn hexagon(u: f32, v: f32) -> f32 {
    let (u, v) = (u.abs(), v.abs());
    u.max(0.5 * u + HALF_SQRT_3 * v) - 0.89
}

/// A shaft and a head, pointing up.
fn arrow(u: f32, v: f32) -> f32 {
    let u = u.abs();
    let shaft = (u - 0.25).max(v - 0.2).max(-0.98 - v);
    // The head's edge runs from (0.84, 0) to (0, 1); the normal's length is taken out.
    let head = ((u / 0.84 + v - 1.0) * 0.643_2).max(-v);
    shaft.min(head)
}
