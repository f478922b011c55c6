//! The shapes world: an endless, seeded, labelled distribution of small pictures with known attributes.

mod backdrop;
mod draws;
mod figure;
mod paint;
mod palette;

use backdrop::Backdrop;
use draws::Draws;
use figure::Figure;
use paint::Parts;
use palette::Palette;

/// What a picture shows; scene i shows class i % 10.
pub const CLASSES: [&str; 10] = [
    "circle", "square", "triangle", "star", "ring", "cross", "heart", "crescent", "hexagon",
    "arrow",
];

/// Length of `Scene::attributes`.
pub const ATTRIBUTES: usize = 14;

/// Disjoint families of scenes: train on one, score against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    Train,
    Reference,
    Validation,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Train => "shapes/train",
            Stream::Reference => "shapes/reference",
            Stream::Validation => "shapes/validation",
        }
    }
}

/// One picture's description, free of any resolution.
pub struct Scene {
    /// Index into `CLASSES`.
    pub class: usize,
    parts: Parts,
}

impl Scene {
    /// Scene `index` of `stream`: always the same.
    pub fn of(stream: Stream, index: u64) -> Scene {
        let mut draws = Draws::of(stream.name(), index);
        let class = (index % CLASSES.len() as u64) as usize;
        let figure = Figure::draw(&mut draws, class);
        let backdrop = Backdrop::draw(&mut draws);
        let palette = Palette::draw(&mut draws, backdrop.spread());
        // The light comes from above, left or right: between 45 degrees either side of the zenith.
        let (x, y) = draws
            .range(-std::f32::consts::FRAC_PI_4, std::f32::consts::FRAC_PI_4)
            .sin_cos();
        let parts = Parts {
            figure,
            palette,
            backdrop,
            light: [x, -y],
        };
        Scene { class, parts }
    }

    /// The picture at any side length of at least 1, [side, side, 3] bytes, anti-aliased.
    pub fn render(&self, resolution: usize) -> Vec<u8> {
        paint::paint(&self.parts, resolution)
    }

    /// What a feature net can be asked to name besides the class, each about [-1, 1]: centre x, y, size, sin and cos
    /// of the turn (modulo the figure's symmetry), fill rgb, mean ground rgb, outlined or not, light x, y.
    pub fn attributes(&self) -> [f32; ATTRIBUTES] {
        let Parts {
            figure,
            palette,
            light,
            ..
        } = &self.parts;
        let [sin, cos] = figure.turn();
        let [r, g, b] = palette.fill.map(|v| 2.0 * v - 1.0);
        let ground = |c: usize| palette.ground[0][c] + palette.ground[1][c] - 1.0;
        [
            (figure.centre[0] - 0.5) * 6.0,
            (figure.centre[1] - 0.5) * 6.0,
            (figure.radius - 0.35) / 0.07,
            sin,
            cos,
            r,
            g,
            b,
            ground(0),
            ground(1),
            ground(2),
            if palette.outline.is_some() { 1.0 } else { -1.0 },
            light[0] * std::f32::consts::SQRT_2,
            (-light[1] - 0.85) / 0.15,
        ]
    }
}
