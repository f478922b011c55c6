//! A deflated run of a file, read at random: once a block was passed, the decompressor's state at its start is kept, so
//! that going back unpacks one block and never the whole.

use crate::machine::cores;
use anyhow::{Context, Result, bail, ensure};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Blocks are at least this long, and at most this many: a state takes 43 KB.
const BLOCK: u64 = 1 << 20;
const MOST_BLOCKS: u64 = 2048;
/// Packed bytes that are read at a time.
const INPUT: usize = 1 << 16;

/// Blocks that were made last, the latest last; as many as threads that each walk their own way, and two.
pub struct Recent {
    blocks: VecDeque<(usize, Vec<u8>)>,
    most: usize,
}

impl Recent {
    pub fn new() -> Recent {
        let threads = cores::count();
        Recent {
            blocks: VecDeque::new(),
            most: threads + 2,
        }
    }

    /// Block `k`, made where it is not kept.
    pub fn block(&mut self, k: usize, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<&[u8]> {
        let kept = self.blocks.iter().position(|(kept, _)| *kept == k);
        let block = match kept.and_then(|place| self.blocks.remove(place)) {
            Some(block) => block,
            None => (k, make()?),
        };
        if self.blocks.len() == self.most {
            self.blocks.pop_front();
        }
        let (_, bytes) = self.blocks.push_back_mut(block);
        Ok(bytes)
    }
}

/// Where a block begins in the packed bytes, and the decompressor there.
#[derive(Clone)]
struct Point {
    packed: u64,
    state: Box<InflateState>,
}

/// The states at the starts of all blocks that were passed.
struct Trail {
    file: File,
    packed_end: u64,
    length: u64,
    block: u64,
    points: Vec<Point>,
}

/// A raw deflate stream in a file.
pub struct Inflated {
    trail: Trail,
    recent: Recent,
}

impl Inflated {
    /// The stream at `start..end` of the file, which unpacks to `length` bytes.
    pub fn new(file: File, (start, end): (u64, u64), length: u64) -> Inflated {
        let first = Point {
            packed: start,
            state: InflateState::new_boxed(DataFormat::Raw),
        };
        Inflated {
            trail: Trail {
                file,
                packed_end: end,
                length,
                block: length.div_ceil(MOST_BLOCKS).max(BLOCK),
                points: vec![first],
            },
            recent: Recent::new(),
        }
    }

    /// Fills `into` with the unpacked bytes from `at` on.
    pub fn read(&mut self, mut at: u64, mut into: &mut [u8]) -> Result<()> {
        let Inflated { trail, recent } = self;
        let end = at.checked_add(into.len() as u64);
        ensure!(
            end.is_some_and(|end| end <= trail.length),
            "bytes beyond the end are asked"
        );
        while !into.is_empty() {
            let k = (at / trail.block) as usize;
            let block = recent.block(k, || trail.unpack(k))?;
            let from = (at % trail.block) as usize;
            let part = into.len().min(block.len() - from);
            let (now, later) = into.split_at_mut(part);
            now.copy_from_slice(&block[from..from + part]);
            into = later;
            at += part as u64;
        }
        Ok(())
    }
}

impl Trail {
    /// Block `k`; the way there is walked where it is new.
    fn unpack(&mut self, k: usize) -> Result<Vec<u8>> {
        while self.points.len() <= k {
            self.walk(self.points.len() - 1)?;
        }
        self.walk(k)
    }

    /// Block `k`, whose start is known; then the next one's is.
    fn walk(&mut self, k: usize) -> Result<Vec<u8>> {
        let mut point = self.points[k].clone();
        let size = (self.length - k as u64 * self.block).min(self.block);
        let mut out = vec![0; size as usize];
        let mut input = vec![0; INPUT];
        let mut done = 0;
        while done < out.len() {
            let rest = self.packed_end.saturating_sub(point.packed);
            let part = rest.min(INPUT as u64) as usize;
            self.file
                .read_exact_at(&mut input[..part], point.packed)
                .context("the file may be truncated")?;
            let step = inflate(
                &mut point.state,
                &input[..part],
                &mut out[done..],
                MZFlush::None,
            );
            point.packed += step.bytes_consumed as u64;
            done += step.bytes_written;
            if step.bytes_consumed == 0 && step.bytes_written == 0 {
                let at = k as u64 * self.block + done as u64;
                bail!("it ends or is broken after {at} of {} bytes", self.length);
            }
        }
        if self.points.len() == k + 1 {
            self.points.push(point);
        }
        Ok(out)
    }
}
