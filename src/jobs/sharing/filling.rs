//! The parts of a result that are missing, made one after the other, beside whoever else makes some.

use crate::jobs::context::JobContext;
use crate::jobs::files::parts::{self, Listing};
use crate::jobs::sharing::claims::{ByOthers, Listed};
use anyhow::Result;
use std::ops::Range;

/// Which parts a result is made of, where they may be of any images.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// `images`, `features`.
    pub kind: &'a str,
    /// Images 0..count are wanted.
    pub count: u64,
    /// Images a part, at most.
    pub size: u64,
}

/// Which parts a result is made of, where they follow the parts of another one.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    pub kind: &'a str,
    /// The images of each part, in order.
    pub of: Vec<Range<u64>>,
}

/// Writes the part of these images; it is told how many images are there already.
pub type Make<'a> = dyn FnMut(&Range<u64>, u64) -> Result<()> + 'a;

/// Makes what is missing of `wanted` in `context.out`.
///
/// # Errors
/// Those of `make`; [`ByOthers`] where nothing is left to claim and the whole is not there yet;
/// [`Stopped`](crate::jobs::context::Stopped).
pub fn fill(context: &JobContext, wanted: Parts, make: &mut Make) -> Result<()> {
    let missing = |listing: &Listing| parts::missing(&listing.parts, wanted.count, wanted.size);
    fill_missing(context, wanted.kind, wanted.count, &missing, make)
}

/// The same for parts that follow those of another result.
///
/// # Errors
/// Those of [`fill`].
pub fn fill_pieces(context: &JobContext, wanted: &Pieces, make: &mut Make) -> Result<()> {
    let count = wanted.of.iter().map(|range| range.end).max().unwrap_or(0);
    let missing = |listing: &Listing| {
        let gaps = parts::missing(&listing.parts, count, u64::MAX);
        let open = |piece: &&Range<u64>| {
            let mut gaps = gaps.iter();
            gaps.any(|gap| gap.start < piece.end && piece.start < gap.end)
        };
        wanted.of.iter().filter(open).cloned().collect()
    };
    fill_missing(context, wanted.kind, count, &missing, make)
}

fn fill_missing(
    context: &JobContext,
    kind: &str,
    count: u64,
    missing: &dyn Fn(&Listing) -> Vec<Range<u64>>,
    make: &mut Make,
) -> Result<()> {
    loop {
        let listing = parts::list(&context.out, kind)?;
        let todo = missing(&listing);
        if todo.is_empty() {
            return Ok(());
        }
        // A part under a lease comes last: its holder may be gone, which is for the claim to find out.
        let (leased, free): (Vec<_>, Vec<_>) = todo
            .into_iter()
            .partition(|range| listing.leased.contains(range));
        let free = free.iter().map(|range| (range, Listed::Free));
        let leased = leased.iter().map(|range| (range, Listed::Leased));
        let mut took = false;
        for (range, listed) in free.chain(leased) {
            context.go_on()?;
            let name = parts::name(kind, range);
            let Some(claim) = context.claims.claim(&context.out, &name, listed)? else {
                continue;
            };
            // It may have been made between the list and the claim.
            let open = missing(&parts::list(&context.out, kind)?);
            if open.contains(range) {
                let left: u64 = open.iter().map(|range| range.end - range.start).sum();
                make(range, count - left)?;
            }
            drop(claim);
            took = true;
            break;
        }
        if !took {
            return Err(ByOthers.into());
        }
    }
}
