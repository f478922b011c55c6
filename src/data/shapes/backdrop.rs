//! What stands behind a figure: a quiet field in [0, 1] that blends two ground colours.

use super::draws::Draws;

const CELLS: usize = 3;
const KNOTS: usize = CELLS + 1;

/// The field's kind and its parameters, in picture coordinates.
pub(super) enum Backdrop {
    /// Rises along a direction.
    Linear { slope: [f32; 2], offset: f32 },
    /// Rises with the distance from a point.
    Radial { centre: [f32; 2], scale: f32 },
    /// A soft wave along a direction.
    Stripes { wave: [f32; 2], phase: f32 },
    /// The product of two soft waves.
    Checks { waves: f32, phase: [f32; 2] },
    /// Smoothly joined random knots.
    Noise { knots: [[f32; KNOTS]; KNOTS] },
}

impl Backdrop {
    pub fn draw(draws: &mut Draws) -> Backdrop {
        let kind = draws.unit();
        let (sin, cos) = draws.range(0.0, std::f32::consts::TAU).sin_cos();
        if kind < 0.35 {
            Backdrop::Linear {
                slope: [cos, sin],
                offset: 0.5 - 0.5 * (cos + sin),
            }
        } else if kind < 0.6 {
            Backdrop::Radial {
                centre: [0.5 + 0.35 * cos, 0.5 + 0.35 * sin],
                scale: draws.range(1.0, 1.3),
            }
        } else if kind < 0.73 {
            let waves = draws.range(2.0, 3.5);
            Backdrop::Stripes {
                wave: [waves * cos, waves * sin],
                phase: draws.range(8.0, 9.0),
            }
        } else if kind < 0.86 {
            Backdrop::Checks {
                waves: draws.range(1.5, 2.5),
                phase: [draws.unit(), draws.unit()],
            }
        } else {
            Backdrop::Noise {
                knots: std::array::from_fn(|_| std::array::from_fn(|_| draws.unit())),
            }
        }
    }

    /// How far apart the two ground colours may be: gradients may span more than patterns.
    pub fn spread(&self) -> f32 {
        match self {
            Backdrop::Linear { .. } | Backdrop::Radial { .. } => 0.2,
            Backdrop::Noise { .. } => 0.16,
            Backdrop::Stripes { .. } | Backdrop::Checks { .. } => 0.11,
        }
    }

    /// The field along the pixel row at height `y`, pixel i centred at (i + ½) / n.
    pub fn row(&self, y: f32, out: &mut [f32]) {
        match *self {
            Backdrop::Linear { slope, offset } => fill(out, |x| {
                (slope[0] * x + slope[1] * y + offset).clamp(0.0, 1.0)
            }),
            Backdrop::Radial { centre, scale } => {
                let dy = (y - centre[1]) * (y - centre[1]);
                fill(out, |x| {
                    let dx = x - centre[0];
                    (scale * (dx * dx + dy).sqrt()).min(1.0)
                })
            }
            Backdrop::Stripes { wave: w, phase } => {
                fill(out, |x| wave(w[0] * x + w[1] * y + phase))
            }
            Backdrop::Checks { waves, phase } => {
                let across = 2.0 * wave(waves * y + phase[1]) - 1.0;
                fill(out, |x| {
                    0.5 + 0.5 * across * (2.0 * wave(waves * x + phase[0]) - 1.0)
                })
            }
            Backdrop::Noise { ref knots } => noise_row(knots, y, out),
        }
    }
}

#[inline(always)]
fn fill(out: &mut [f32], field: impl Fn(f32) -> f32) {
    let pixel = 1.0 / out.len() as f32;
    for (i, slot) in out.iter_mut().enumerate() {
        *slot = field((i as f32 + 0.5) * pixel);
    }
}

/// A cosine-like wave of period 1 in [0, 1] for t >= 0, without a call.
#[inline(always)]
fn wave(t: f32) -> f32 {
    let fraction = t - (t as i32) as f32;
    smooth((2.0 * fraction - 1.0).abs())
}

#[inline(always)]
fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

fn noise_row(knots: &[[f32; KNOTS]; KNOTS], y: f32, out: &mut [f32]) {
    let place = |t: f32| {
        let t = t * CELLS as f32;
        let cell = (t as usize).min(CELLS - 1);
        (cell, smooth(t - cell as f32))
    };
    let (cell, part) = place(y);
    let line: [f32; KNOTS] =
        std::array::from_fn(|k| knots[cell][k] + part * (knots[cell + 1][k] - knots[cell][k]));
    fill(out, |x| {
        let (cell, part) = place(x);
        line[cell] + part * (line[cell + 1] - line[cell])
    });
}
