//! Parts of results, claimed by a lease each.

use crate::jobs::files::parts::LEASE;
use crate::jobs::sharing::claims::{Claim, Claims, Listed};
use crate::run::lease::presence::{AtWork, Lease, Presence, Taken};
use crate::run::lock::locked;
use crate::run::work::makers::Maker;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// Parts as a worker on one device claims them.
pub struct LeasedParts<'a> {
    pub presence: &'a Presence,
    pub device: &'a str,
    /// Where it is told which part is made, and who made it; none for work that is no job.
    pub told: Option<Told<'a>>,
}

/// Where a job tells of its parts.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    pub at: &'a AtWork,
    pub maker: &'a Mutex<Maker>,
}

/// A part that is ours to make.
struct OurPart<'a> {
    _lease: Lease,
    told: Option<Told<'a>>,
    folder: PathBuf,
    began: Instant,
}

impl Claim for OurPart<'_> {}

impl<'a> OurPart<'a> {
    fn new(lease: Lease, folder: &Path, told: Option<Told<'a>>) -> OurPart<'a> {
        OurPart {
            _lease: lease,
            told,
            folder: folder.to_path_buf(),
            began: Instant::now(),
        }
    }
}

impl LeasedParts<'_> {
    fn lease(&self, folder: &Path, part: &str, listed: Listed) -> Result<Option<Lease>> {
        let path = folder.join(format!("{part}{LEASE}"));
        // Whoever waits looks at many leases again and again: one that was read before is not read anew.
        if listed == Listed::Leased && self.presence.known(&path).is_some() {
            return Ok(None);
        }
        Ok(match self.presence.take(&path, self.device)? {
            Taken::Held(_) => None,
            Taken::Ours(lease) => Some(lease),
        })
    }
}

impl Claims for LeasedParts<'_> {
    fn claim(
        &self,
        folder: &Path,
        part: &str,
        listed: Listed,
    ) -> Result<Option<Box<dyn Claim + '_>>> {
        let Some(lease) = self.lease(folder, part, listed)? else {
            return Ok(None);
        };
        if let Some(told) = self.told {
            told.at.part(Some(part));
        }
        Ok(Some(Box::new(OurPart::new(lease, folder, self.told))))
    }
}

/// Parts in a store as a process claims them that is no worker: it becomes one with its first claim, so that a store that
/// holds all there is to hold need not be writable.
pub struct LateClaims {
    root: PathBuf,
    device: String,
    presence: Mutex<Option<Presence>>,
}

impl LateClaims {
    /// In the store `root`, by the device of this name.
    pub fn new(root: &Path, device: &str) -> LateClaims {
        LateClaims {
            root: root.to_path_buf(),
            device: device.to_string(),
            presence: Mutex::default(),
        }
    }
}

impl Claims for LateClaims {
    fn claim(
        &self,
        folder: &Path,
        part: &str,
        listed: Listed,
    ) -> Result<Option<Box<dyn Claim + '_>>> {
        let mut presence = locked(&self.presence);
        let presence = match &mut *presence {
            Some(presence) => presence,
            None => presence.insert(Presence::begin(&self.root, &self.device, None)?),
        };
        let claims = LeasedParts {
            presence,
            device: &self.device,
            told: None,
        };
        Ok(match claims.lease(folder, part, listed)? {
            Some(lease) => Some(Box::new(OurPart::new(lease, folder, None))),
            None => None,
        })
    }
}

impl Drop for OurPart<'_> {
    fn drop(&mut self) {
        let Some(told) = self.told else { return };
        told.at.part(None);
        let mut maker = locked(told.maker);
        maker.seconds += self.began.elapsed().as_secs_f64();
        maker.parts += 1;
        maker.write(&self.folder);
    }
}
