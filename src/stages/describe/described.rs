//! Described images: parts of a gallery with their features, exact moments and what was seen of them, each a file of its own
//! named by the content of its images. Parts that other runs or other machines made are found again by that name.

use crate::data::survey::{Facts, Survey};
use crate::io::numpy::npz::{self, Array, Npz};
use crate::jobs::files::parts::Part;
use crate::machine::profile::{Operation, span};
use crate::metrics::frechet::moments::{self, Moments};
use crate::metrics::rows::{Fetched, Rows as _};
use crate::stages::describe::extract::Rows;
use crate::stages::describe::rows::StoredRows;
use anyhow::{Context, Result, ensure};
use std::ops::Range;
use std::path::Path;

/// Images whose moments are taken together, unless parts are asked to be of another size: moments of one set are the
/// same bits wherever its features lie.
pub const PART: usize = 2000;

/// Features of images 0..n, in parts on disk.
pub struct Described {
    parts: Vec<(Part, Range<usize>)>,
    n: usize,
    /// Whether the parts hold moments of their own; a cell's stored features do not.
    summed: bool,
}

/// Which of the two kinds of features that have moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Pool,
    Spatial,
}

impl Kind {
    fn rows(self) -> &'static str {
        match self {
            Kind::Pool => "pool",
            Kind::Spatial => "spatial",
        }
    }

    fn moments(self) -> (&'static str, &'static str) {
        match self {
            Kind::Pool => ("mean", "scatter"),
            Kind::Spatial => ("mean_s", "scatter_s"),
        }
    }
}

impl Described {
    /// The set whose parts, in order, are these; each has to be whole.
    pub fn of(parts: Vec<Part>) -> Described {
        let whole = |part: Part| {
            let n = (part.range.end - part.range.start) as usize;
            (part, 0..n)
        };
        let parts: Vec<_> = parts.into_iter().map(whole).collect();
        Described {
            n: parts.iter().map(|(_, take)| take.len()).sum(),
            parts,
            summed: true,
        }
    }

    /// The set that these pieces of parts make up, in order; the parts hold features and what was seen, no moments.
    pub fn pieces(parts: Vec<(Part, Range<usize>)>) -> Described {
        Described {
            n: parts.iter().map(|(_, take)| take.len()).sum(),
            parts,
            summed: false,
        }
    }

    /// Images.
    pub fn len(&self) -> usize {
        self.n
    }

    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Features [n, d], read as they are asked for.
    pub fn rows(&self, kind: Kind) -> Result<StoredRows> {
        StoredRows::open(&self.parts, kind.rows())
    }

    /// Whether the parts hold features of this kind.
    pub fn has(&self, kind: Kind) -> Result<bool> {
        match self.parts.first() {
            Some((part, _)) => Ok(Npz::open(&part.path)?.has(kind.rows())),
            None => Ok(false),
        }
    }

    /// Class scores [n, k].
    pub fn logits(&self) -> Result<StoredRows> {
        StoredRows::open(&self.parts, "logits")
    }

    /// Mean and covariance, merged in order out of moments of parts: the same bits whoever made the parts.
    pub fn moments(&self, kind: Kind) -> Result<Moments> {
        let _span = span(Operation::Moments);
        let mut whole: Option<moments::Part> = None;
        let mut merge = |one: moments::Part| match &mut whole {
            None => {
                whole = Some(one);
                Ok(())
            }
            Some(whole) => whole.merge(&one),
        };
        if self.summed {
            let (mean, scatter) = kind.moments();
            for (part, take) in &self.parts {
                let mut file = Npz::open(&part.path)?;
                let (mean, scatter) = (file.f64(mean)?.data, file.f64(scatter)?.data);
                let one = moments::Part::from_packed(take.len(), mean, &scatter);
                merge(one.with_context(|| format!("reading {}", part.path.display()))?)?;
            }
        } else {
            let mut rows = self.rows(kind)?;
            for first in (0..self.n).step_by(PART) {
                let n = PART.min(self.n - first);
                let d = rows.dim();
                let read = |range: Range<usize>| {
                    let range = first + range.start..first + range.end;
                    Ok(rows.read(range)?.into_owned())
                };
                merge(moments::Part::of_rows(&mut Fetched { n, d, read })?)?;
            }
        }
        whole.context("no image is described")?.finish()
    }

    /// The classes that a cell's samples were asked for: `[n]`.
    pub fn labels(&self) -> Result<Vec<i64>> {
        let mut labels = Vec::with_capacity(self.n);
        for (part, take) in &self.parts {
            let asked = Npz::open(&part.path)?.i64("labels")?.data;
            let whole = (part.range.end - part.range.start) as usize;
            ensure!(asked.len() == whole, "{} is damaged", part.path.display());
            labels.extend_from_slice(&asked[take.clone()]);
        }
        Ok(labels)
    }

    /// Pixels a side of a cell's samples.
    pub fn resolution(&self) -> Result<usize> {
        let (part, _) = self.parts.last().context("no image is described")?;
        let side = Npz::open(&part.path)?.i64("resolution")?.data;
        Ok(side.first().map_or(0, |&side| side as usize))
    }

    /// What was seen of every image.
    pub fn survey(&self) -> Result<Survey> {
        let mut facts = Vec::with_capacity(self.n);
        for (part, take) in &self.parts {
            let read = || -> Result<Vec<Facts>> {
                let mut file = Npz::open(&part.path)?;
                let (digests, seen) = (file.u8("digests")?.data, file.i64("seen")?.data);
                let n = (part.range.end - part.range.start) as usize;
                ensure!(
                    digests.len() == 16 * n && seen.len() == SEEN * n,
                    "it is damaged\nhint: delete the file, it is made again"
                );
                let rows = digests.as_chunks::<16>().0[take.clone()].iter();
                let rows = rows.zip(&seen.as_chunks::<SEEN>().0[take.clone()]);
                Ok(rows.map(|(digest, seen)| recall(*digest, *seen)).collect())
            };
            facts.extend(read().with_context(|| format!("reading {}", part.path.display()))?);
        }
        Ok(Survey { facts })
    }
}

/// Numbers that are kept of an image beside its digest.
const SEEN: usize = 6;

fn note(facts: &Facts) -> [i64; SEEN] {
    [
        i64::from(facts.w),
        i64::from(facts.h),
        i64::from(facts.low),
        i64::from(facts.high),
        i64::from(facts.grey) | i64::from(facts.cut) << 1,
        i64::from(facts.constant),
    ]
}

fn recall(digest: [u8; 16], [w, h, low, high, grey, constant]: [i64; SEEN]) -> Facts {
    Facts {
        digest: u128::from_le_bytes(digest),
        w: w as u32,
        h: h as u32,
        low: low as u8,
        high: high as u8,
        grey: grey & 1 != 0,
        cut: grey & 2 != 0,
        constant: constant != 0,
    }
}

/// What was seen of images, as arrays: `digests` u8 [n, 16] and `seen` i64 [n, 6].
pub fn seen(facts: &[Facts]) -> [(&'static str, Array); 2] {
    let n = facts.len();
    let digests = facts.iter().flat_map(|f| f.digest.to_le_bytes()).collect();
    let seen = facts.iter().flat_map(note).collect();
    [
        ("digests", Array::u8(&[n, 16], digests)),
        ("seen", Array::i64(&[n, SEEN], seen)),
    ]
}

/// Writes a part, atomically: `pool`, `spatial` and `logits` f32 [n, ..], `mean`, `scatter`, `mean_s` and `scatter_s` f64
/// (the scatter about the mean, lower triangle packed row by row), `digests` and `seen`; no arrays of what the net does
/// not give.
///
/// All that the net gives is kept, whatever is asked for now: a metric that is asked for later then needs no second pass of
/// the net, which on a CPU takes more than ten times as long as the moments and the file of even a small part (40 images).
/// For Inception a part of 2000 images has 74 MB, of which FID alone would need 33.
pub fn write(path: &Path, rows: Rows, facts: &[Facts]) -> Result<()> {
    let n = facts.len();
    let width = |values: &[f32]| values.len() / n.max(1);
    let flat = |values: Vec<f64>| Array::f64(&[values.len()], values);
    let mut arrays = Vec::new();
    for (kind, values) in [(Kind::Pool, &rows.pool), (Kind::Spatial, &rows.spatial)] {
        if !values.is_empty() {
            let _span = span(Operation::Moments);
            let part = moments::Part::of(values, width(values))?;
            let (mean, scatter) = kind.moments();
            arrays.push((mean, flat(part.mean().to_vec())));
            arrays.push((scatter, flat(part.packed())));
        }
    }
    arrays.extend(rows.arrays(n));
    arrays.extend(seen(facts));
    npz::write(path, &arrays)
}
