//! How many multiply-adds a net takes for one image, by its shapes alone: those of convolutions, linear layers and the two
//! products of attention. Normalisations, activations and resizing are left out; they are a few per cent.

use crate::experiment::nets::arch::{Arch, ClassifierArch, FeatureArch, Pool, Trunk, UnetArch};
use std::ops::{Add, AddAssign};

/// Levels and blocks beyond which no net is built (`nets/adm/trunk.rs`).
const MOST_LEVELS: usize = 17;
const MOST_BLOCKS: usize = 1024;
/// Width of the hidden layer of the classifier's spatial pools.
const HIDDEN: usize = 2048;
/// Grid of the feature net's last stage.
const GRID: usize = 4;

/// Multiply-adds of one image, by the kind of operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Multiplications {
    /// Of convolutions whose window is larger than a pixel.
    pub windows: f64,
    /// Of 1x1 convolutions and linear layers on the maps.
    pub pointwise: f64,
    /// Of attention: queries by keys, and weights by values.
    pub attention: f64,
    /// Of the embedding of time and class, through which no gradient reaches the image.
    pub embedding: f64,
}

impl Multiplications {
    pub fn total(&self) -> f64 {
        self.windows + self.pointwise + self.attention + self.embedding
    }

    /// Those of a forward pass and of the gradient in the image: each convolution and linear layer once more, each of
    /// attention's products twice more, since both of its factors depend on the image.
    pub fn with_input_gradient(&self) -> f64 {
        self.total() + self.windows + self.pointwise + 2.0 * self.attention
    }

    /// Those of a training step: forward, then the gradient in both factors of every product. The first layer's gradient in
    /// the image, which is not taken, is counted too.
    pub fn training_step(&self) -> f64 {
        3.0 * self.total()
    }
}

impl Add for Multiplications {
    type Output = Multiplications;

    fn add(self, other: Multiplications) -> Multiplications {
        Multiplications {
            windows: self.windows + other.windows,
            pointwise: self.pointwise + other.pointwise,
            attention: self.attention + other.attention,
            embedding: self.embedding + other.embedding,
        }
    }
}

impl AddAssign for Multiplications {
    fn add_assign(&mut self, other: Multiplications) {
        *self = *self + other;
    }
}

/// Those of a forward pass of `arch` on one image; None where no such net can be built.
pub fn forward(arch: &Arch) -> Option<Multiplications> {
    match arch {
        Arch::Unet(net) => unet(net, net.trunk.in_channels),
        Arch::SuperRes(net) => unet(net, net.trunk.in_channels.checked_mul(2)?),
        Arch::Classifier(net) => classifier(net),
        Arch::Features(net) => features(net),
    }
}

fn three(cin: usize, cout: usize, side: usize) -> Multiplications {
    Multiplications {
        windows: 9.0 * cin as f64 * cout as f64 * area(side),
        ..Multiplications::default()
    }
}

fn one(cin: usize, cout: usize, places: f64) -> Multiplications {
    Multiplications {
        pointwise: cin as f64 * cout as f64 * places,
        ..Multiplications::default()
    }
}

fn embedding(cin: usize, cout: usize) -> Multiplications {
    Multiplications {
        embedding: cin as f64 * cout as f64,
        ..Multiplications::default()
    }
}

fn products(channels: usize, places: f64) -> Multiplications {
    Multiplications {
        attention: 2.0 * channels as f64 * places * places,
        ..Multiplications::default()
    }
}

fn area(side: usize) -> f64 {
    side as f64 * side as f64
}

/// A net that is being walked through: what flows at this place, and what was counted so far.
struct Walk<'a> {
    trunk: &'a Trunk,
    channels: usize,
    /// Pixels a side.
    side: usize,
    counted: Multiplications,
    /// Output width of every input block.
    widths: Vec<usize>,
}

impl Walk<'_> {
    fn width(&self, level: usize) -> usize {
        (self.trunk.channel_mult[level] * self.trunk.channels as f64) as usize
    }

    /// A residual block that leaves a map of `side` pixels and `cout` channels.
    fn res(&mut self, cin: usize, cout: usize, side: usize) {
        let scales = if self.trunk.adagn { 2 } else { 1 };
        self.counted += three(cin, cout, side) + three(cout, cout, side);
        self.counted += embedding(
            self.trunk.channels.saturating_mul(4),
            cout.saturating_mul(scales),
        );
        if cin != cout {
            self.counted += one(cin, cout, area(side));
        }
        (self.channels, self.side) = (cout, side);
    }

    fn attention(&mut self) {
        let (c, places) = (self.channels, area(self.side));
        self.counted += one(c, c.saturating_mul(4), places) + products(c, places);
    }

    fn attends(&self) -> bool {
        self.trunk.attention.contains(&self.side)
    }

    fn resample(&mut self, side: usize) {
        let c = self.channels;
        if self.trunk.updown {
            self.res(c, c, side);
        } else if self.trunk.conv_resample {
            self.counted += three(c, c, side);
        }
        self.side = side;
    }

    /// The time embedding, the way down and the middle.
    fn down(trunk: &Trunk, in_channels: usize) -> Option<Walk<'_>> {
        let levels = trunk.channel_mult.len();
        if !(1..=MOST_LEVELS).contains(&levels) || trunk.res_blocks > MOST_BLOCKS {
            return None;
        }
        let m = trunk.channels;
        let mut walk = Walk {
            trunk,
            channels: 0,
            side: trunk.resolution,
            counted: embedding(m, m.saturating_mul(4))
                + embedding(m.saturating_mul(4), m.saturating_mul(4)),
            widths: Vec::new(),
        };
        walk.channels = walk.width(0);
        walk.counted += three(in_channels, walk.channels, walk.side);
        walk.widths.push(walk.channels);
        for level in 0..levels {
            for _ in 0..trunk.res_blocks {
                walk.res(walk.channels, walk.width(level), walk.side);
                if walk.attends() {
                    walk.attention();
                }
                walk.widths.push(walk.channels);
            }
            if level + 1 < levels {
                walk.resample(walk.side / 2);
                walk.widths.push(walk.channels);
            }
        }
        walk.res(walk.channels, walk.channels, walk.side);
        walk.attention();
        walk.res(walk.channels, walk.channels, walk.side);
        Some(walk)
    }
}

fn unet(net: &UnetArch, in_channels: usize) -> Option<Multiplications> {
    let trunk = &net.trunk;
    let mut walk = Walk::down(trunk, in_channels)?;
    for level in (0..trunk.channel_mult.len()).rev() {
        for i in 0..=trunk.res_blocks {
            let skip = walk.widths.pop().unwrap_or(0);
            let joined = walk.channels.saturating_add(skip);
            walk.res(joined, walk.width(level), walk.side);
            if walk.attends() {
                walk.attention();
            }
            if level > 0 && i == trunk.res_blocks {
                walk.resample(walk.side.saturating_mul(2));
            }
        }
    }
    let answers = if net.learn_sigma { 2 } else { 1 };
    let out = trunk.in_channels.saturating_mul(answers);
    walk.counted += three(walk.channels, out, walk.side);
    Some(walk.counted)
}

fn classifier(net: &ClassifierArch) -> Option<Multiplications> {
    let walk = Walk::down(&net.trunk, net.trunk.in_channels)?;
    let (c, places) = (walk.channels, area(walk.side));
    let head = match net.pool {
        Pool::Adaptive => one(c, net.classes, 1.0),
        // One token more: the mean, whose output alone is read.
        Pool::Attention => {
            let tokens = places + 1.0;
            one(c, c.saturating_mul(3), tokens) + products(c, tokens) + one(c, net.classes, 1.0)
        }
        Pool::Spatial | Pool::SpatialV2 => {
            let widths = walk.widths.iter().chain([&c]);
            let features = widths.fold(0, |sum: usize, width| sum.saturating_add(*width));
            one(features, HIDDEN, 1.0) + one(HIDDEN, net.classes, 1.0)
        }
    };
    Some(walk.counted + head)
}

fn features(net: &FeatureArch) -> Option<Multiplications> {
    let stages = (net.resolution / GRID).checked_ilog2()?;
    if stages == 0 {
        return None;
    }
    let mut side = net.resolution / 2;
    let mut channels = net.channels;
    let mut counted = three(3, channels, side);
    for stage in 0..stages {
        if stage > 0 {
            side /= 2;
        }
        let width = net.channels.saturating_mul(1 << stage.min(2));
        counted += three(channels, width, side) + three(width, width, side);
        if channels != width {
            counted += one(channels, width, area(side));
        }
        channels = width;
    }
    let both = (net.pool as f64 + area(GRID) * net.spatial as f64) as usize;
    counted += one(channels, net.spatial, area(side)) + one(channels, net.pool, 1.0);
    Some(counted + one(both, net.classes, 1.0) + one(both, net.attributes, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::nets::presets;

    fn of(preset: &str) -> Multiplications {
        forward(&presets::arch(preset).unwrap().0).unwrap()
    }

    fn near(count: f64, billions: f64) -> bool {
        (count / 1e9 / billions - 1.0).abs() < 0.01
    }

    #[test]
    fn adm_64_takes_as_many_as_were_measured() {
        let count = of("imagenet64");
        assert!(near(count.total(), 109.7), "{count:?}");
        assert!(near(count.windows, 92.0), "{count:?}");
    }

    #[test]
    fn what_no_net_is_built_of_has_no_count() {
        let (Arch::Unet(mut net), _) = presets::arch("shapes16").unwrap() else {
            panic!("a unet")
        };
        net.trunk.res_blocks = usize::MAX;
        assert_eq!(forward(&Arch::Unet(net.clone())), None);
        net.trunk.res_blocks = 1;
        net.trunk.channel_mult = vec![];
        assert_eq!(forward(&Arch::Unet(net.clone())), None);
        net.trunk.channel_mult = vec![f64::MAX, -1.0];
        (net.trunk.channels, net.trunk.resolution) = (usize::MAX, usize::MAX);
        forward(&Arch::Unet(net));
    }

    #[test]
    fn a_gradient_costs_what_its_products_cost() {
        let count = Multiplications {
            windows: 9.0,
            pointwise: 5.0,
            attention: 4.0,
            embedding: 2.0,
        };
        assert_eq!(count.with_input_gradient(), 20.0 + 14.0 + 8.0);
        assert_eq!(count.training_step(), 60.0);
    }
}
