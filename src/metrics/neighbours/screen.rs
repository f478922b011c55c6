//! Which pairs of a tile's rows could lie within reach of each other, told from their f32 inner
//! products alone: one subtraction and one comparison a side, sixteen pairs together.
//!
//! A squared distance is at least |x|² + |y|² - 2p less the bound of the product p's rounding,
//! spread·|x|·|y| and two small parts (see [`crate::metrics::neighbours::distances`]). As |x|·|y| is at most
//! (|x|² + |y|²)/2, it is at least 2·(h_x + h_y - p) - 1e-38 with h_x = (1 - spread/2 - 2e-14)·|x|²/2,
//! and at most r only if p - h_y >= h_x - (r + 1e-38)/2. Both h_y and the right side are rounded
//! down to f32, and rounding a difference keeps order, so that no pair within reach is lost.

use faer::Mat;

/// Pairs that are looked at together.
const CHUNK: usize = 16;

/// One side of a tile: what is known of its rows.
pub struct Reaches {
    /// h, in f64 and rounded down.
    halves: Vec<f64>,
    rounded: Vec<f32>,
    /// h - (r + 1e-38)/2, rounded down.
    least: Vec<f32>,
}

impl Reaches {
    /// Rows of these squared lengths, which reach to the squared distances `reach(row)`. A NaN or
    /// infinite `spread` lets every pair pass.
    pub fn of(squares: &[f64], spread: f64, reach: impl Fn(usize) -> f64) -> Reaches {
        let scale = if spread.is_finite() {
            0.5 * (1.0 - 0.5 * spread - 2e-14)
        } else {
            f64::NAN
        };
        let halves: Vec<f64> = squares.iter().map(|v| scale * v).collect();
        let mut reaches = Reaches {
            rounded: halves.iter().map(|&h| down(h)).collect(),
            least: vec![f32::NEG_INFINITY; halves.len()],
            halves,
        };
        (0..squares.len()).for_each(|i| reaches.set(i, reach(i)));
        reaches
    }

    /// Row `i` now reaches to the squared distance `reach`.
    pub fn set(&mut self, i: usize, reach: f64) {
        self.least[i] = down(self.halves[i] - 0.5 * (reach + 1e-38));
    }
}

/// The largest f32 that is not above `v`.
fn down(v: f64) -> f32 {
    let near = v as f32;
    if f64::from(near) > v {
        near.next_down()
    } else {
        near
    }
}

/// Both sides of a tile.
pub struct Screen {
    pub left: Reaches,
    pub right: Reaches,
}

impl Screen {
    /// Shows `see(screen, i, j)` every pair whose distance may be within the reach of the left row
    /// i or of the right row j, and some others; `inner[(j, i)]` is their inner product, finite
    /// where the rows' spread is. `see` may change the reaches.
    pub fn pass(&mut self, inner: &Mat<f32>, mut see: impl FnMut(&mut Screen, usize, usize)) {
        for i in 0..inner.ncols() {
            let products = inner.col_as_slice(i);
            for first in (0..products.len()).step_by(CHUNK) {
                let end = products.len().min(first + CHUNK);
                if self.apart(i, first, &products[first..end]) {
                    continue;
                }
                for j in first..end {
                    if !self.apart(i, j, &products[j..=j]) {
                        see(self, i, j);
                    }
                }
            }
        }
    }

    /// Whether the left row `i` and the right rows from `first` on, with these inner products, lie
    /// beyond each other's reach for sure; false for products that are NaN.
    fn apart(&self, i: usize, first: usize, products: &[f32]) -> bool {
        let (half, least) = (self.left.rounded[i], self.left.least[i]);
        let range = first..first + products.len();
        let others = self.right.rounded[range.clone()].iter();
        let others = others.zip(&self.right.least[range]);
        products.iter().zip(others).fold(true, |all, (p, (h, l))| {
            all & (p - h < least) & (p - l < half)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(squares: &[f64], spread: f64, reach: f64) -> Reaches {
        Reaches::of(squares, spread, |_| reach)
    }

    fn seen(left: Reaches, right: Reaches, inner: &Mat<f32>) -> usize {
        let mut count = 0;
        Screen { left, right }.pass(inner, |_, _, _| count += 1);
        count
    }

    #[test]
    fn only_pairs_that_may_be_in_reach_are_seen() {
        // Unit vectors at squared distance 2·(1 - p).
        let inner = Mat::from_fn(37, 1, |j, _| j as f32 / 36.0);
        let ones = [1.0; 37];
        for (of_left, of_right) in [(0.5, 0.0), (0.0, 0.5), (0.5, 0.5)] {
            let (left, right) = (
                reaches(&ones[..1], 0.0, of_left),
                reaches(&ones, 0.0, of_right),
            );
            // p >= 0.75, of 36ths.
            assert_eq!(seen(left, right, &inner), 10);
        }
        let wide = seen(
            reaches(&ones[..1], 0.1, 0.5),
            reaches(&ones, 0.1, 0.0),
            &inner,
        );
        // p >= 0.75 - 0.05
        assert_eq!(wide, 11);
    }

    #[test]
    fn nothing_is_lost_where_nothing_is_known() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
        let inner = Mat::from_fn(4, 1, |j, _| odd[j]);
        for spread in [f64::INFINITY, f64::NAN] {
            let (left, right) = (
                reaches(&[0.0], spread, 0.0),
                reaches(&[0.0, 1e300, 1.0, 1e-300], spread, 0.0),
            );
            assert_eq!(seen(left, right, &inner), 4);
        }
        let everything = reaches(&[1.0], 0.0, f64::INFINITY);
        assert_eq!(seen(everything, reaches(&[1.0; 4], 0.0, 0.0), &inner), 4);
    }
}
