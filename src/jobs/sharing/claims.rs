//! Parts of one result that several workers make together: each is claimed before it is made.

use anyhow::Result;
use std::fmt;
use std::path::Path;

/// Whoever keeps account of who makes which part.
pub trait Claims: Sync {
    /// The claim on the part of this name (`images-000000-001000`) of `folder`, held until it is dropped; None where
    /// somebody else makes that part. `listed` says how its folder looked a moment ago.
    ///
    /// # Errors
    /// Where the store cannot be written.
    fn claim(
        &self,
        folder: &Path,
        part: &str,
        listed: Listed,
    ) -> Result<Option<Box<dyn Claim + '_>>>;
}

/// How a part that is not there looked in the list of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    Free,
    /// Somebody makes it, or made it when he was killed.
    Leased,
}

/// A part that is ours to make.
pub trait Claim {}

/// For a result that nobody else works on.
pub struct Alone;

impl Claims for Alone {
    fn claim(&self, _: &Path, _: &str, _: Listed) -> Result<Option<Box<dyn Claim + '_>>> {
        Ok(Some(Box::new(Unshared)))
    }
}

struct Unshared;

impl Claim for Unshared {}

/// The error of a job whose missing parts are all being made by others.
#[derive(Debug)]
pub struct ByOthers;

impl fmt::Display for ByOthers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is missing is being made by others")
    }
}

impl std::error::Error for ByOthers {}
