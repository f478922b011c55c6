//! How many multiply-adds Inception takes for one image.

use crate::experiment::nets::multiplications::Multiplications;
use crate::nets::inception::blocks::{CLASSES, POOL, Step, Unit, blocks, stem};
use crate::nets::inception::net::SIDE;

/// Those of a convolution on a map of `side` pixels, and the pixels a side of what it leaves.
fn conv(unit: &Unit, side: (usize, usize)) -> (Multiplications, (usize, usize)) {
    let after = |side: usize, kernel: usize, padding: usize| {
        (side + 2 * padding - kernel) / unit.stride + 1
    };
    let (h, w) = (
        after(side.0, unit.kernel.0, unit.padding.0),
        after(side.1, unit.kernel.1, unit.padding.1),
    );
    let weights = unit.cin * unit.cout * unit.kernel.0 * unit.kernel.1;
    let count = (weights * h * w) as f64;
    let counted = if unit.kernel == (1, 1) {
        Multiplications {
            pointwise: count,
            ..Multiplications::default()
        }
    } else {
        Multiplications {
            windows: count,
            ..Multiplications::default()
        }
    };
    (counted, (h, w))
}

/// Pixels a side after a pool of 3 x 3 pixels and stride 2, without padding.
fn halved((h, w): (usize, usize)) -> (usize, usize) {
    ((h - 1) / 2, (w - 1) / 2)
}

/// Those of a forward pass up to the logits, of one image of 299 x 299 pixels.
pub fn forward() -> Multiplications {
    let (first, second) = stem();
    let mut side = (SIDE, SIDE);
    let mut all = Multiplications {
        pointwise: (CLASSES * POOL) as f64,
        ..Multiplications::default()
    };
    for stage in [&first[..], &second[..]] {
        for unit in stage {
            let (counted, after) = conv(unit, side);
            all += counted;
            side = after;
        }
        side = halved(side);
    }
    for block in blocks() {
        for branch in &block.branches {
            let mut at = side;
            for step in branch {
                match step {
                    Step::Conv(unit) => {
                        let (counted, after) = conv(unit, at);
                        all += counted;
                        at = after;
                    }
                    Step::Fork(two) => {
                        for unit in two {
                            all += conv(unit, at).0;
                        }
                    }
                    // The last step of its branch where it halves.
                    Step::Max { .. } | Step::Mean => {}
                }
            }
        }
        if block.halves {
            side = halved(side);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inception_takes_what_is_known_of_it() {
        let count = forward().total();
        assert!((count / 5.7e9 - 1.0).abs() < 0.01, "{count}");
    }
}
