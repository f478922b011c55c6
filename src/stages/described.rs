//! Described images: parts of a gallery with their features, exact moments and what was seen of them, each a file of its own
//! named by the content of its images. Parts that other runs or other machines made are found again by that name.

use crate::data::survey::{Facts, Survey};
use crate::io::npz::{self, Array, Npz};
use crate::metrics::moments::{self, Moments};
use crate::stages::extract::Rows;
use crate::stages::parts::Part;
use crate::stages::rows::StoredRows;
use anyhow::{Context, Result, ensure};
use std::ops::Range;
use std::path::Path;

/// Features of images 0..n, in parts on disk.
pub struct Described {
    parts: Vec<(Part, Range<usize>)>,
    n: usize,
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
        let n = parts.iter().map(|(_, take)| take.len()).sum();
        Described { parts, n }
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

    /// Class scores [n, k].
    pub fn logits(&self) -> Result<StoredRows> {
        StoredRows::open(&self.parts, "logits")
    }

    /// Mean and covariance out of the parts' own moments, merged in order: the same bits whoever made the parts.
    pub fn moments(&self, kind: Kind) -> Result<Moments> {
        let (mean, scatter) = kind.moments();
        let mut whole: Option<moments::Part> = None;
        for (part, take) in &self.parts {
            let mut file = Npz::open(&part.path)?;
            let (mean, scatter) = (file.f64(mean)?.data, file.f64(scatter)?.data);
            let one = moments::Part::from_packed(take.len(), mean, &scatter)
                .with_context(|| format!("reading {}", part.path.display()))?;
            match &mut whole {
                None => whole = Some(one),
                Some(whole) => whole.merge(&one)?,
            }
        }
        whole.context("no image is described")?.finish()
    }

    /// What was seen of every image.
    pub fn survey(&self) -> Result<Survey> {
        let mut facts = Vec::with_capacity(self.n);
        for (part, take) in &self.parts {
            let read = || -> Result<Vec<Facts>> {
                let mut file = Npz::open(&part.path)?;
                let (digests, seen) = (file.u8("digests")?.data, file.i64("seen")?.data);
                ensure!(
                    digests.len() == 16 * take.len() && seen.len() == SEEN * take.len(),
                    "it is damaged\nhint: delete the file, it is made again"
                );
                let rows = digests.as_chunks::<16>().0.iter();
                let rows = rows.zip(seen.as_chunks::<SEEN>().0);
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
        i64::from(facts.grey),
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
        grey: grey != 0,
        constant: constant != 0,
    }
}

/// Writes a part, atomically: `pool`, `spatial` and `logits` f32 [n, ..], `mean`, `scatter`, `mean_s` and `scatter_s` f64
/// (the scatter about the mean, lower triangle packed row by row), `digests` and `seen`.
pub fn write(path: &Path, rows: Rows, facts: &[Facts]) -> Result<()> {
    let n = facts.len();
    let width = |values: &[f32]| values.len() / n.max(1);
    let moments = |values: &[f32]| moments::Part::of(values, width(values));
    let (pool, spatial) = (moments(&rows.pool)?, moments(&rows.spatial)?);
    let wide = |values: Vec<f32>| Array::f32(&[n, values.len() / n.max(1)], values);
    let flat = |values: Vec<f64>| Array::f64(&[values.len()], values);
    let digests = facts.iter().flat_map(|f| f.digest.to_le_bytes()).collect();
    let seen = facts.iter().flat_map(note).collect();
    npz::write(
        path,
        &[
            ("mean", flat(pool.mean().to_vec())),
            ("scatter", flat(pool.packed())),
            ("mean_s", flat(spatial.mean().to_vec())),
            ("scatter_s", flat(spatial.packed())),
            ("pool", wide(rows.pool)),
            ("spatial", wide(rows.spatial)),
            ("logits", wide(rows.logits)),
            ("digests", Array::u8(&[n, 16], digests)),
            ("seen", Array::i64(&[n, SEEN], seen)),
        ],
    )
}
