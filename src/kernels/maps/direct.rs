//! Direct convolution from blocked maps to blocked maps: the micro-kernel reads pixels where they lie.
//!
//! Only maps that need padding are copied first, row by row, into the task's scratch.

use super::blocked::{Blocked, Slot, lanes};
use super::weights::{Activation, depth, pad_bias};
use crate::kernels::conv::layout::Spec;
use crate::kernels::simd::tile::{COLS, Finish, Kernel, Run, Tile, Write, kernel, tiles};
use crate::machine::flush::Flush;
use crate::machine::scratch::{Line, ZERO, with_scratch};
use rayon::prelude::*;

/// Bytes of input that a task walks over for every panel of outputs: half of a second-level cache.
const BLOCK: usize = 512 << 10;
/// Output pixels below which a task takes more than one image, so that reading the weights does not cost more than the
/// arithmetic.
const PIXELS: usize = 256;

pub struct Direct {
    spec: Spec,
    /// panels of 32 outputs (the last may be 16 wide), each `[channel block][ky][kx][channel][32]`
    w: Vec<Line>,
    bias: Vec<Line>,
    relu: bool,
}

impl Direct {
    /// `w [cout, cin, kh, kw]`, `bias [cout]`.
    pub fn new(spec: Spec, w: &[f32], bias: &[f32], activation: Activation) -> Direct {
        let (taps, lanes) = (spec.taps(), lanes(spec.cin));
        let k = depth(&spec) * taps;
        let mut lines = vec![ZERO; spec.cout.div_ceil(16) * k];
        lines
            .par_chunks_mut(2 * k)
            .enumerate()
            .for_each(|(p, panel)| {
                let halves = panel.len() / k;
                for o in p * COLS..spec.cout.min(p * COLS + halves * 16) {
                    let (half, lane) = (o % COLS / 16, o % 16);
                    for (i, w) in w[o * spec.cin * taps..][..spec.cin * taps]
                        .iter()
                        .enumerate()
                    {
                        let (c, tap) = (i / taps, i % taps);
                        let row = (c / lanes * taps + tap) * lanes + c % lanes;
                        panel[row * halves + half].0[lane] = *w;
                    }
                }
            });
        Direct {
            spec,
            w: lines,
            bias: pad_bias(bias),
            relu: activation == Activation::Relu,
        }
    }

    pub fn forward(&self, x: &Blocked, out: &Slot) {
        let pass = Pass::new(self, x, out);
        (0..pass.tasks)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|task| pass.run(task));
    }
}

/// One call, cut into tasks: some rows of one image or some whole images, for some panels of 32 channels.
struct Pass<'a> {
    conv: &'a Direct,
    kernel: Kernel,
    x: &'a Blocked,
    out: &'a Slot<'a>,
    runs: Vec<Run>,
    /// whether rows are copied into scratch with zeros around them
    padded: bool,
    /// floats of an input row and of a channel block, as the kernel reads them
    row: usize,
    plane: usize,
    /// output rows a task, and tasks an image
    rows: usize,
    strips: usize,
    /// images a task
    group: usize,
    /// parts that the panels are divided into
    split: usize,
    panels: usize,
    tasks: usize,
}

impl<'a> Pass<'a> {
    fn new(conv: &'a Direct, x: &'a Blocked, out: &'a Slot) -> Pass<'a> {
        let (spec, threads) = (&conv.spec, rayon::current_num_threads());
        let padded = spec.pad_y + spec.pad_x > 0;
        let row = (x.w + 2 * spec.pad_x) * x.lanes();
        let plane = (x.h + 2 * spec.pad_y) * row;
        let mut rows = out.h;
        if !padded {
            rows = (BLOCK / (row * spec.stride * x.blocks() * 4)).clamp(1, out.h);
            if x.n < threads {
                rows = rows.min(out.h.div_ceil(2 * threads));
            }
        }
        let strips = out.h.div_ceil(rows);
        let group = match strips {
            1 => PIXELS
                .div_ceil(out.h * out.w)
                .clamp(1, x.n.div_ceil(threads)),
            _ => 1,
        };
        let (tasks, panels) = (strips * x.n.div_ceil(group), spec.cout.div_ceil(COLS));
        let split = if tasks < threads {
            (2 * threads / tasks).clamp(1, panels)
        } else {
            1
        };
        let runs = (0..x.blocks()).flat_map(|b| {
            (0..spec.kh).map(move |ky| Run {
                offset: b * plane + ky * row,
                n: spec.kw * lanes(spec.cin),
            })
        });
        Pass {
            conv,
            kernel: match (x.lanes(), spec.stride) {
                (16, 1) => kernel::<16>(x.isa),
                (16, _) => kernel::<32>(x.isa),
                (_, 1) => kernel::<3>(x.isa),
                (_, _) => kernel::<6>(x.isa),
            },
            x,
            out,
            runs: runs.collect(),
            padded,
            row,
            plane,
            rows: out.h.div_ceil(strips),
            strips,
            group,
            split,
            panels,
            tasks: tasks * split,
        }
    }

    fn run(&self, task: usize) {
        let _flush = Flush::start();
        let (task, part) = (task / self.split, task % self.split);
        let first = task / self.strips * self.group;
        let images = self.group.min(self.x.n - first);
        let start = task % self.strips * self.rows;
        let rows = self.rows.min(self.out.h.saturating_sub(start));
        let panels = self.panels * part / self.split..self.panels * (part + 1) / self.split;
        let size = self.plane * self.x.blocks();
        let scratch = if self.padded { size * images } else { 0 };
        with_scratch(scratch, |buffer| {
            if self.padded {
                for i in 0..images {
                    // SAFETY: scratch has room for that many padded images.
                    unsafe { self.pad(first + i, buffer.add(i * size)) };
                }
            }
            for p in panels {
                for i in 0..images {
                    // SAFETY: the image lies in scratch or in the maps, and its rows belong to this task alone.
                    unsafe {
                        let x = if self.padded {
                            buffer.add(i * size).cast_const()
                        } else {
                            self.x.data().as_ptr().add((first + i) * size)
                        };
                        self.panel(first + i, p, x, start, rows);
                    }
                }
            }
        });
    }

    /// Copies an image with zeros around it.
    ///
    /// # Safety
    /// `dst` has room for it.
    unsafe fn pad(&self, image: usize, dst: *mut f32) {
        let (spec, lanes) = (&self.conv.spec, self.x.lanes());
        let (side, width) = (spec.pad_x * lanes, self.x.w * lanes);
        for b in 0..self.x.blocks() {
            // SAFETY: rows and margins lie within the block's plane.
            unsafe {
                let dst = dst.add(b * self.plane);
                let margin = spec.pad_y * self.row;
                std::ptr::write_bytes(dst, 0, margin);
                std::ptr::write_bytes(dst.add(self.plane - margin), 0, margin);
                for (y, src) in self.x.block(image, b).chunks_exact(width).enumerate() {
                    let row = dst.add(margin + y * self.row);
                    std::ptr::write_bytes(row, 0, side);
                    std::ptr::copy_nonoverlapping(src.as_ptr(), row.add(side), width);
                    std::ptr::write_bytes(row.add(side + width), 0, side);
                }
            }
        }
    }

    /// Output rows `start..start + rows` of panel `p` of an image.
    ///
    /// # Safety
    /// `x` points at the image as the kernel reads it.
    unsafe fn panel(&self, image: usize, p: usize, x: *const f32, start: usize, rows: usize) {
        let (spec, out) = (&self.conv.spec, self.out);
        let full = spec.cout - p * COLS > 16;
        let w = self.conv.w[p * 2 * depth(spec) * spec.taps()..].as_ptr();
        let finish = Finish {
            half: out.plane,
            bias: self.conv.bias[p * 2..].as_ptr().cast(),
            relu: self.conv.relu,
        };
        // Where rows follow each other without a gap, they are one long row.
        let (lines, pixels) = if spec.kw == 1 && spec.stride == 1 {
            (1, rows * out.w)
        } else {
            (rows, out.w)
        };
        for line in 0..lines {
            let y = start + line;
            tiles(self.x.isa, pixels, |c, rows| {
                // SAFETY: the tile's pixels lie within the row, on both sides.
                unsafe {
                    let tile = Tile {
                        rows,
                        full,
                        x: x.add(y * spec.stride * self.row + c * spec.stride * self.x.lanes()),
                        x_step: 1,
                        w: w.cast(),
                        w_step: if full { 32 } else { 16 },
                        out: out.at(image, p * 2, y * out.w + c),
                        out_step: 16,
                        write: Write::Replace,
                        finish,
                    };
                    (self.kernel)(&tile, &self.runs);
                }
            });
        }
    }
}
