//! Long measurements, kept in parts in the store: a killed run goes on, a larger count measures the rest.

use crate::io::numpy::npz::{self, Array, Npz};
use crate::jobs::context::{Progress, Stopped, Watch};
use crate::jobs::files::damage::whole;
use crate::jobs::files::parts;
use anyhow::{Context, Result};
use candle_core::Tensor;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

/// Hears of a step that is done, from 0, and how many there are.
pub type Tick<'t> = dyn FnMut(usize, usize) -> ControlFlow<()> + 't;

/// Named f32 arrays [n, ...], a row for each image or pair that was measured.
pub type Arrays = Vec<(&'static str, Tensor)>;

/// Measures what a range names; tells of its steps and, where that breaks off, gives None.
pub type Measure<'t> = dyn Fn(Range<u64>, &mut Tick) -> Result<Option<Arrays>> + 't;

/// What is measured, and where it is kept.
pub struct Measurement {
    /// Where the parts lie; its name stands for everything that the numbers depend on.
    pub folder: PathBuf,
    /// The first word of their names.
    pub what: &'static str,
    /// `images`, `pairs`.
    pub unit: &'static str,
    pub count: u64,
    /// How many a part holds.
    pub size: u64,
}

impl Measurement {
    /// Lets `measure` find what no part holds yet.
    ///
    /// # Errors
    /// [`Stopped`] when `watch` asked for it, after the step at hand: parts that are whole are kept.
    pub fn complete(self, measure: &Measure, watch: Watch) -> Result<Stored> {
        let Measurement { folder, what, .. } = &self;
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        for part in parts::present(folder, what)? {
            whole(&part.path, watch.warn)?;
        }
        let ranges = parts::missing(&parts::present(folder, what)?, self.count, self.size);
        let mut done = self.count - ranges.iter().map(|r| r.end - r.start).sum::<u64>();
        for range in ranges {
            let size = range.end - range.start;
            let mut tick = |step: usize, steps: usize| {
                // Counted in whole images, so that a long batch moves the bar too.
                let share = size * (step as u64 + 1) / steps as u64;
                watch.tell(Progress {
                    done: done + share,
                    total: self.count,
                    unit: self.unit,
                    note: String::new(),
                });
                if watch.stopped() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            let Some(found) = measure(range.clone(), &mut tick)? else {
                return Err(Stopped.into());
            };
            let arrays = found
                .into_iter()
                .map(|(name, rows)| {
                    let shape = rows.dims().to_vec();
                    Ok((name, Array::f32(&shape, rows.flatten_all()?.to_vec1()?)))
                })
                .collect::<Result<Vec<_>>>()?;
            npz::write(&parts::path(folder, what, &range), &arrays)?;
            done += size;
        }
        Ok(Stored(self))
    }
}

/// What was measured, on disk.
pub struct Stored(Measurement);

impl Stored {
    /// The array `name` of the first `count`, row by row.
    pub fn rows(&self, name: &str, count: u64) -> Result<Vec<f32>> {
        let Measurement { folder, what, .. } = &self.0;
        let count = count.min(self.0.count);
        let mut all = Vec::new();
        for (part, take) in parts::covering(&parts::present(folder, what)?, count)? {
            let array = Npz::open(&part.path)?.f32(name);
            let data = array
                .with_context(|| format!("reading {}", part.path.display()))?
                .data;
            let wide = data.len() / (part.range.end - part.range.start) as usize;
            all.extend_from_slice(&data[take.start * wide..take.end * wide]);
        }
        Ok(all)
    }
}
