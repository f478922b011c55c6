//! Colours: drawing them, and how far apart two look (OKLab, Björn Ottosson 2020).

use super::draws::Draws;

/// An sRGB colour, each channel in [0, 1].
pub(super) type Rgb = [f32; 3];

/// The colours of a scene: every pair that touches is far apart.
pub(super) struct Palette {
    pub fill: Rgb,
    pub outline: Option<Rgb>,
    pub ground: [Rgb; 2],
}

const FILL_FROM_GROUND: f32 = 0.27;
const OUTLINE_FROM_OTHERS: f32 = 0.16;
const OUTLINED: f32 = 0.35;

impl Palette {
    /// `spread` bounds how far the two ground colours may be apart (0 = equal).
    pub fn draw(draws: &mut Draws, spread: f32) -> Palette {
        let fill = hsv(
            draws.unit(),
            draws.range(0.62, 0.95),
            draws.range(0.72, 1.0),
        );
        let ground = draw_ground(draws, fill, spread);
        let wanted = draws.chance(OUTLINED);
        let outline = draw_outline(draws, fill, ground);
        Palette {
            fill,
            outline: if wanted { outline } else { None },
            ground,
        }
    }
}

/// Two quiet neighbours, both far from `fill`.
fn draw_ground(draws: &mut Draws, fill: Rgb, spread: f32) -> [Rgb; 2] {
    for _ in 0..24 {
        let dark = draws.chance(0.4);
        let hue = draws.unit();
        let saturation = draws.range(0.1, 0.45);
        let value = if dark {
            draws.range(0.14, 0.38)
        } else {
            draws.range(0.72, 0.98)
        };
        let other_value = if dark {
            value + 0.9 * spread
        } else {
            value - spread
        };
        let a = hsv(hue, saturation, value);
        let b = hsv(
            hue + draws.range(-0.08, 0.08),
            saturation + draws.range(-0.1, 0.1),
            other_value,
        );
        if distance(a, fill).min(distance(b, fill)) >= FILL_FROM_GROUND {
            return [a, b];
        }
    }
    let value = if oklab(fill)[0] > 0.6 { 0.16 } else { 0.96 };
    let a = hsv(0.6, 0.12, value);
    [a, a]
}

/// A dark or a light rim that differs from the fill and from the ground, where there is one.
fn draw_outline(draws: &mut Draws, fill: Rgb, ground: [Rgb; 2]) -> Option<Rgb> {
    let hue = draws.unit();
    let dark = hsv(hue, 0.5, 0.2);
    let light = hsv(hue, 0.12, 1.0);
    let order = if draws.chance(0.5) {
        [dark, light]
    } else {
        [light, dark]
    };
    order.into_iter().find(|&rim| {
        distance(rim, fill) >= OUTLINE_FROM_OTHERS
            && ground
                .iter()
                .all(|&g| distance(rim, g) >= OUTLINE_FROM_OTHERS)
    })
}

/// Hue in turns (any real), saturation and value in [0, 1] → sRGB.
fn hsv(hue: f32, saturation: f32, value: f32) -> Rgb {
    let turn = (hue - hue.floor()) * 6.0;
    [5.0f32, 3.0, 1.0].map(|shift| {
        let k = (shift + turn) % 6.0;
        let ramp = k.min(4.0 - k).clamp(0.0, 1.0);
        value * (1.0 - saturation.clamp(0.0, 1.0) * ramp)
    })
}

/// Euclidean distance in OKLab; black to white is 1.
pub(super) fn distance(a: Rgb, b: Rgb) -> f32 {
    let (a, b) = (oklab(a), oklab(b));
    let square = |i: usize| (a[i] - b[i]) * (a[i] - b[i]);
    (square(0) + square(1) + square(2)).sqrt()
}

fn oklab(colour: Rgb) -> [f32; 3] {
    let [r, g, b] = colour.map(|v| {
        if v <= 0.04045 {
            v / 12.92
        } else {
            ((v + 0.055) / 1.055).powf(2.4)
        }
    });
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}
