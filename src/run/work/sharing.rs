//! Parts of one result, claimed by a lease each.

use crate::jobs::files::parts::LEASE;
use crate::jobs::sharing::claims::{Claim, Claims, Listed};
use crate::run::lease::presence::{AtWork, Lease, Presence, Taken};
use anyhow::Result;
use std::path::Path;

/// The parts of the result in `folder`, as a worker on one device claims them.
pub struct LeasedParts<'a> {
    pub presence: &'a Presence,
    pub device: &'a str,
    pub folder: &'a Path,
    pub at: &'a AtWork,
}

/// A part that is ours to make.
struct OurPart<'a> {
    _lease: Lease,
    at: &'a AtWork,
}

impl Claim for OurPart<'_> {}

impl Claims for LeasedParts<'_> {
    fn claim(&self, part: &str, listed: Listed) -> Result<Option<Box<dyn Claim + '_>>> {
        let path = self.folder.join(format!("{part}{LEASE}"));
        // Whoever waits looks at many leases again and again: one that was read before is not read anew.
        if listed == Listed::Leased && self.presence.known(&path).is_some() {
            return Ok(None);
        }
        Ok(match self.presence.take(&path, self.device)? {
            Taken::Held(_) => None,
            Taken::Ours(lease) => {
                self.at.part(Some(part));
                Some(Box::new(OurPart {
                    _lease: lease,
                    at: self.at,
                }))
            }
        })
    }
}

impl Drop for OurPart<'_> {
    fn drop(&mut self) {
        self.at.part(None);
    }
}
