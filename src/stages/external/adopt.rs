//! Images that are there already, taken as a cell's samples.

use crate::data::gallery::Gallery;
use crate::jobs::context::JobContext;
use crate::jobs::external::adopted::AdoptedJob;
use crate::jobs::files::parts;
use crate::stages::external::labels::labels;
use crate::stages::external::take::{Asked, Found, take};
use anyhow::{Context, Result};

/// Takes what is missing of the first `count` images; nothing is run.
///
/// # Errors
/// Images that cannot be read, or that are not alike in size.
pub fn run(job: &AdoptedJob, context: &JobContext) -> Result<()> {
    let path = &job.from.path;
    let named = || format!("sample.from = \"{}\"", path.display());
    let gallery = Gallery::open(&[path.to_string_lossy()]).with_context(named)?;
    let order = gallery.natural_order();
    let labels = labels(path, &gallery, &order).with_context(named)?;
    let count = job.count as u64;
    let asked = Asked {
        size: job.size,
        labels: job.needs_labels,
        total: count,
    };
    for range in parts::missing(&parts::present(&context.out, "images")?, count, count) {
        let found = Found {
            gallery: &gallery,
            order: &order,
            labels: labels.as_deref(),
            from: range.start as usize,
        };
        take(&found, range, &asked, context).with_context(named)?;
    }
    Ok(())
}
