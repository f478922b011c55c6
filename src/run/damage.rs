//! Results that a job reads and that are no longer whole.

use crate::jobs::files::damage::set_aside;
use crate::jobs::files::parts;
use crate::run::plan::{Item, Plan};
use crate::run::store::Store;
use anyhow::Result;

/// The kinds of parts that stages leave to each other.
const KINDS: [&str; 2] = ["images", "features"];

/// A result that has to be made again.
#[derive(Debug)]
pub struct Damage {
    /// Its position in `Plan::items`.
    pub need: usize,
    /// What was found of its parts, a sentence each.
    pub lines: Vec<String>,
}

/// The results that `item` reads and that are not all there, once their damaged parts are set aside.
pub fn damaged_needs(plan: &Plan, store: &Store, item: &Item) -> Result<Vec<Damage>> {
    let mut found = Vec::new();
    for &need in &item.needs {
        let made = &plan.items[need];
        let (stage, wanted) = (made.job.stage(), made.job.wanted());
        let folder = store.folder(stage, &made.key);
        let mut lines = Vec::new();
        for kind in KINDS {
            let parts = if folder.is_dir() {
                parts::present(&folder, kind)?
            } else {
                Vec::new()
            };
            for part in parts {
                lines.extend(set_aside(&part.path)?);
            }
        }
        if !lines.is_empty() || !store.state(stage, &made.key, &wanted).stored() {
            found.push(Damage { need, lines });
        }
    }
    Ok(found)
}
