//! A drawing as a list of marks in fractional pixels, before any file format.

/// Red, green, blue.
pub type Colour = (u8, u8, u8);
/// x to the right, y down, in pixels.
pub type At = (f64, f64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Left,
    Centre,
    Right,
}

#[derive(Clone, Debug)]
pub enum Mark {
    Line {
        points: Vec<At>,
        colour: Colour,
        width: f64,
    },
    Fill {
        points: Vec<At>,
        colour: Colour,
        alpha: f64,
    },
    Disc {
        at: At,
        radius: f64,
        colour: Colour,
    },
    /// Centred upright at `at.1`.
    Text {
        at: At,
        text: String,
        size: f64,
        colour: Colour,
        anchor: Anchor,
    },
}

pub struct Picture {
    pub width: f64,
    pub height: f64,
    /// Read aloud, and shown by browsers when asked.
    pub title: String,
    pub marks: Vec<Mark>,
}

impl Picture {
    pub fn new(width: f64, height: f64, title: String) -> Self {
        let marks = Vec::new();
        Self {
            width,
            height,
            title,
            marks,
        }
    }

    pub fn line(&mut self, points: &[At], colour: Colour, width: f64) {
        self.marks.push(Mark::Line {
            points: points.to_vec(),
            colour,
            width,
        });
    }

    pub fn fill(&mut self, points: Vec<At>, colour: Colour, alpha: f64) {
        self.marks.push(Mark::Fill {
            points,
            colour,
            alpha,
        });
    }

    pub fn text(&mut self, at: At, text: &str, size: f64, colour: Colour, anchor: Anchor) {
        self.marks.push(Mark::Text {
            at,
            text: text.to_string(),
            size,
            colour,
            anchor,
        });
    }

    /// A line in strokes and gaps of the given lengths, in turn; whole when there are none.
    pub fn dashes(&mut self, points: &[At], pattern: &[f64], colour: Colour, width: f64) {
        if pattern.is_empty() {
            return self.line(points, colour, width);
        }
        for stroke in strokes(points, pattern) {
            self.line(&stroke, colour, width);
        }
    }

    /// A full circle.
    pub fn disc(&mut self, at: At, radius: f64, colour: Colour) {
        self.marks.push(Mark::Disc { at, radius, colour });
    }

    /// A data point, told apart by its form as well as its colour, on a thin white edge.
    pub fn point(&mut self, form: Form, at: At, radius: f64, colour: Colour) {
        for (radius, colour) in [(radius + 1.6, (255, 255, 255)), (radius, colour)] {
            match form.corners(at, radius) {
                Some(points) => self.fill(points, colour, 1.0),
                None => self.marks.push(Mark::Disc { at, radius, colour }),
            }
        }
    }
}

impl Picture {
    /// A data point that somebody else has measured: its edge alone.
    pub fn hollow(&mut self, form: Form, at: At, radius: f64, colour: Colour) {
        self.point(form, at, radius, colour);
        match form.corners(at, radius - 2.2) {
            Some(points) => self.fill(points, (255, 255, 255), 1.0),
            None => self.marks.push(Mark::Disc {
                at,
                radius: radius - 2.2,
                colour: (255, 255, 255),
            }),
        }
    }
}

/// The forms of data points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Disc,
    Square,
    Triangle,
    Diamond,
    Wedge,
    Hexagon,
}

impl Form {
    /// The corners around `at`, of about the area of a disc of `radius`; none for the disc itself.
    fn corners(self, at: At, radius: f64) -> Option<Vec<At>> {
        // Corners, degrees from upright to the first one, reach.
        let (count, first, stretch) = match self {
            Form::Disc => return None,
            Form::Square => (4, 45.0, 1.25),
            Form::Triangle => (3, 0.0, 1.4),
            Form::Diamond => (4, 0.0, 1.35),
            Form::Wedge => (3, 180.0, 1.4),
            Form::Hexagon => (6, 0.0, 1.15),
        };
        let corner = |i: usize| {
            let angle = (first - 90.0 + 360.0 * i as f64 / count as f64).to_radians();
            let r = radius * stretch;
            (at.0 + r * angle.cos(), at.1 + r * angle.sin())
        };
        Some((0..count).map(corner).collect())
    }
}

/// The parts of a path that a dash pattern leaves visible.
fn strokes(points: &[At], pattern: &[f64]) -> Vec<Vec<At>> {
    let mut strokes: Vec<Vec<At>> = Vec::new();
    let (mut step, mut left) = (0, pattern[0]);
    let mut stroke = points.first().map(|p| vec![*p]).unwrap_or_default();
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let along = |d: f64| {
            let f = d / length;
            (from.0 + f * (to.0 - from.0), from.1 + f * (to.1 - from.1))
        };
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let drawn = step % 2 == 0;
            if drawn {
                stroke.push(along(done));
                strokes.push(std::mem::take(&mut stroke));
            } else {
                stroke = vec![along(done)];
            }
            step += 1;
            left = pattern[step % pattern.len()];
        }
        left -= length - done;
        if step % 2 == 0 {
            stroke.push(to);
        }
    }
    if stroke.len() > 1 {
        strokes.push(stroke);
    }
    strokes
}
