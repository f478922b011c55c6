//! Where the data of a chart lie in its picture.

use crate::report::chart::picture::At;

/// The rectangle that the data fill.
#[derive(Clone, Copy)]
pub struct Plot {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Plot {
    /// Places in 0..=1 to pixels.
    pub fn at(&self, x: f64, y: f64) -> At {
        (
            self.left + x * (self.right - self.left),
            self.bottom - y * (self.bottom - self.top),
        )
    }
}
