//! Cells of a sweep, for tests that change them.

use fidrunner::experiment::file::experiment::{Sample, Sampling};
use fidrunner::experiment::grid::sweep::Sweep;

/// `[sample]` of the first cell, which a net draws.
pub fn drawn(sweep: &mut Sweep) -> &mut Sample {
    match &mut std::sync::Arc::make_mut(&mut sweep.cells)[0].spec.sample {
        Some(Sampling::Net(sample)) => sample,
        other => panic!("{other:?} is not drawn by a net"),
    }
}
