//! How series are told apart: colours that survive colour blindness and grey print, forms, dashes.
//! The colours are Okabe and Ito's (2008), with a darker blue, ordered from dark to light.

use crate::report::chart::crowd::MOST_LINES;
use crate::report::chart::picture::{Colour, Form};

pub const INK: Colour = (31, 35, 40);
pub const QUIET: Colour = (95, 101, 109);
pub const GRID: Colour = (228, 231, 235);
pub const FRAME: Colour = (150, 156, 164);

const BLACK: Colour = (24, 24, 27);
const DEEP_BLUE: Colour = (0, 90, 146);
const VERMILLION: Colour = (213, 94, 0);
const GREEN: Colour = (0, 158, 115);
const PURPLE: Colour = (204, 121, 167);
const ORANGE: Colour = (230, 159, 0);
const SKY: Colour = (86, 180, 233);

const FORMS: [Form; 6] = [
    Form::Disc,
    Form::Square,
    Form::Triangle,
    Form::Diamond,
    Form::Wedge,
    Form::Hexagon,
];
const DASHES: [&[f64]; 6] = [
    &[],
    &[9.0, 4.0],
    &[2.5, 3.5],
    &[9.0, 3.5, 2.5, 3.5],
    &[16.0, 4.0],
    &[5.0, 3.0],
];

#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub colour: Colour,
    pub form: Form,
    /// Lengths of strokes and gaps in pixels.
    pub dash: &'static [f64],
}

/// The looks of `count` series in their order; past seven the colours come again, with other dashes. More than can be
/// told apart run from one colour to another.
pub fn looks(count: usize) -> Vec<Look> {
    if count > MOST_LINES {
        return (0..count)
            .map(|i| between(i as f64 / (count - 1) as f64))
            .collect();
    }
    let colours: &[Colour] = match count {
        0 | 1 => &[DEEP_BLUE],
        2 => &[DEEP_BLUE, ORANGE],
        3 => &[BLACK, VERMILLION, SKY],
        4 => &[BLACK, DEEP_BLUE, VERMILLION, SKY],
        5 => &[BLACK, DEEP_BLUE, VERMILLION, GREEN, ORANGE],
        6 => &[BLACK, DEEP_BLUE, VERMILLION, GREEN, ORANGE, SKY],
        _ => &[BLACK, DEEP_BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY],
    };
    let look = |i: usize| Look {
        colour: colours[i % colours.len()],
        form: FORMS[i % FORMS.len()],
        // No two of 36 have the same form and dashes: print may have no colours.
        dash: DASHES[(i + i / FORMS.len()) % DASHES.len()],
    };
    (0..count).map(look).collect()
}

/// The look of a line at a place in 0..=1 among many: dark blue, then green, then orange.
fn between(place: f64) -> Look {
    let (from, to, share) = if place < 0.5 {
        (DEEP_BLUE, GREEN, 2.0 * place)
    } else {
        (GREEN, ORANGE, 2.0 * place - 1.0)
    };
    let mixed = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
    Look {
        colour: (
            mixed(from.0, to.0),
            mixed(from.1, to.1),
            mixed(from.2, to.2),
        ),
        form: Form::Disc,
        dash: &[],
    }
}
