//! Feature rows of stored parts, read as they are asked for: 50,000 images' need not fit in memory.

use crate::io::numpy::npz::Npz;
use crate::jobs::files::parts::Part;
use crate::machine::profile::{Operation, span};
use crate::metrics::rows::Rows;
use anyhow::{Context, Result, ensure};
use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;

/// One array (`pool`, `spatial`, `logits`) of images 0..n.
pub struct StoredRows {
    name: &'static str,
    d: usize,
    n: usize,
    pieces: Vec<Piece>,
    /// The part read last, by its place in `pieces`, and its rows.
    last: Option<(usize, Vec<f32>)>,
}

/// The rows of a part that count, and the image that the first of them is.
struct Piece {
    path: PathBuf,
    whole: usize,
    take: Range<usize>,
    first: usize,
}

impl StoredRows {
    /// The rows called `name` of the images that `parts` make up, in order.
    pub fn open(parts: &[(Part, Range<usize>)], name: &'static str) -> Result<StoredRows> {
        let mut pieces = Vec::with_capacity(parts.len());
        let mut n = 0;
        for (part, take) in parts {
            pieces.push(Piece {
                path: part.path.clone(),
                whole: (part.range.end - part.range.start) as usize,
                take: take.clone(),
                first: n,
            });
            n += take.len();
        }
        let mut rows = StoredRows {
            name,
            d: 0,
            n,
            pieces,
            last: None,
        };
        let piece = rows.pieces.first().context("no part holds any image")?;
        let whole = piece.whole;
        let values = Npz::open(&piece.path)?.f32(name)?.data;
        rows.d = values.len() / whole.max(1);
        rows.check(0, &values)?;
        rows.last = Some((0, values));
        Ok(rows)
    }

    /// All rows at once, `[n, d]`.
    pub fn all(&mut self) -> Result<Vec<f32>> {
        let n = self.n;
        Ok(self.read(0..n)?.into_owned())
    }

    fn check(&self, at: usize, values: &[f32]) -> Result<()> {
        let piece = &self.pieces[at];
        ensure!(
            self.d > 0 && values.len() == piece.whole * self.d,
            "{} is damaged: {} holds {} values, not {} rows of {}\nhint: delete the file, it is made again",
            piece.path.display(),
            self.name,
            values.len(),
            piece.whole,
            self.d
        );
        Ok(())
    }

    fn load(&mut self, at: usize) -> Result<&[f32]> {
        let _span = span(Operation::ReadFeatures);
        let values = match self.last.take() {
            Some((last, values)) if last == at => values,
            other => {
                // Freed before another is read: parts are large.
                drop(other);
                let values = Npz::open(&self.pieces[at].path)?.f32(self.name)?.data;
                self.check(at, &values)?;
                values
            }
        };
        let (_, values) = self.last.insert((at, values));
        let take = &self.pieces[at].take;
        Ok(&values[take.start * self.d..take.end * self.d])
    }
}

impl Rows for StoredRows {
    fn count(&self) -> usize {
        self.n
    }

    fn dim(&self) -> usize {
        self.d
    }

    fn read(&mut self, range: Range<usize>) -> Result<Cow<'_, [f32]>> {
        let d = self.d;
        let mut joined = Vec::with_capacity(range.len() * d);
        let mut at = self
            .pieces
            .partition_point(|p| p.first + p.take.len() <= range.start);
        let mut next = range.start;
        while next < range.end {
            let piece = &self.pieces[at];
            let (from, to) = (
                next - piece.first,
                range.end.min(piece.first + piece.take.len()) - piece.first,
            );
            joined.extend_from_slice(&self.load(at)?[from * d..to * d]);
            next += to - from;
            at += 1;
        }
        Ok(Cow::Owned(joined))
    }
}
