//! `steps` of `[sample]` and `[upsample]`.

use crate::experiment::schema::texts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// Steps kept of the process: a count, or ADM's section list and `ddimN` as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a count such as 250, or text such as \"ddim25\" or \"10,10,20\""
)]
#[schemars(inline, transform = texts::steps)]
pub enum Steps {
    /// So many, evenly spaced.
    Count(usize),
    /// `ddimN` strides as the DDIM paper's code does; `a,b,c` keeps a of the first third of the timesteps, b of the second,
    /// c of the last.
    Sections(String),
}

impl Steps {
    /// How many are kept; none where the text is neither a count, nor `ddimN`, nor a list of sections.
    pub fn count(&self) -> Option<usize> {
        let text = match self {
            Steps::Count(count) => return Some(*count),
            Steps::Sections(text) => text,
        };
        if let Some(count) = text.strip_prefix("ddim") {
            return count.parse().ok();
        }
        let mut sections = text.split(',').map(|count| count.trim().parse::<usize>());
        sections.try_fold(0usize, |sum, count| sum.checked_add(count.ok()?))
    }

    /// How many are kept, where they are said as a number alone.
    pub fn number(&self) -> Option<usize> {
        match self {
            Steps::Count(count) => Some(*count),
            Steps::Sections(text) => text.trim().parse().ok(),
        }
    }
}

/// As the text that a schedule is respaced by: `250`, `ddim25`, `10,10,20`.
impl Display for Steps {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Steps::Count(count) => count.fmt(f),
            Steps::Sections(text) => text.fmt(f),
        }
    }
}
