//! The parts of a result that are missing, made one after the other, beside whoever else makes some.

use crate::jobs::context::JobContext;
use crate::jobs::files::parts::{self, Listing};
use crate::jobs::sharing::claims::{ByOthers, Listed};
use anyhow::Result;
use std::ops::Range;

/// Which parts a result is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// `images`, `features`.
    pub kind: &'a str,
    /// Images 0..count are wanted.
    pub count: u64,
    /// Images a part, at most.
    pub size: u64,
}

/// Makes what is missing of `wanted` in `context.out`. `make` writes the part of these images; it is told how many images
/// are there already.
///
/// # Errors
/// Those of `make`; [`ByOthers`] where nothing is left to claim and the whole is not there yet;
/// [`Stopped`](crate::jobs::context::Stopped).
pub fn fill(
    context: &JobContext,
    wanted: Parts,
    make: &mut dyn FnMut(&Range<u64>, u64) -> Result<()>,
) -> Result<()> {
    let missing = |listing: &Listing| parts::missing(&listing.parts, wanted.count, wanted.size);
    let mut listing = parts::list(&context.out, wanted.kind)?;
    loop {
        let todo = missing(&listing);
        if todo.is_empty() {
            return Ok(());
        }
        // A part under a lease comes last: its holder may be gone, which is for the claim to find out.
        let (leased, free): (Vec<_>, Vec<_>) = todo
            .into_iter()
            .partition(|range| listing.leased.contains(range));
        let mut took = false;
        let free = free.iter().map(|range| (range, Listed::Free));
        let leased = leased.iter().map(|range| (range, Listed::Leased));
        for (range, listed) in free.chain(leased) {
            context.go_on()?;
            let name = parts::name(wanted.kind, range);
            let Some(claim) = context.claims.claim(&name, listed)? else {
                continue;
            };
            // It may have been made between the list and the claim.
            listing = parts::list(&context.out, wanted.kind)?;
            let open = missing(&listing);
            if open.contains(range) {
                let left: u64 = open.iter().map(|range| range.end - range.start).sum();
                make(range, wanted.count - left)?;
            }
            drop(claim);
            took = true;
            break;
        }
        if !took {
            return Err(ByOthers.into());
        }
        listing = parts::list(&context.out, wanted.kind)?;
    }
}
