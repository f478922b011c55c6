//! The gradient of the weights: the same repacked rows, the reduction now running over pixels.

use super::layout::{Geometry, Images, Spec};
use crate::kernels::simd::tile::{COLS, Finish, Kernel, Run, Tile, Write, kernel};
use crate::kernels::simd::transpose::{Block, Rest, transpose, transpose_all};
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::scratch::{Ptr, with_scratch};
use rayon::prelude::*;

struct Pass<'a> {
    isa: Isa,
    kernel: Kernel,
    g: Geometry,
    x: Images<'a>,
    dy: &'a [f32],
    panels: usize,
    /// output rows a step: dy of one panel stays in the first cache, packed input in the second
    rows: usize,
    /// steps an image, and in all
    blocks: usize,
    steps: usize,
    /// The steps are divided into `parts` with sums of their own, added up in order. Their number depends on the shape
    /// alone, so the last bits do not depend on the number of threads.
    parts: usize,
    /// tasks a part, each with some of the panels: no bit depends on it
    split: usize,
}

/// Floats of the sums of one panel.
fn panel_size(g: &Geometry) -> usize {
    g.blocks * g.spec.taps() * 16 * COLS
}

/// Gradient `dw [cout, cin, kh, kw]` from `x [n, cin, h, w]` and `dy [n, cout, oh, ow]`.
pub fn weight_grad(isa: Isa, spec: Spec, x: Images, dy: &[f32], dw: &mut [f32]) {
    let g = Geometry::new(spec, x.h, x.w);
    let panels = spec.cout.div_ceil(COLS);
    assert_eq!(x.data.len(), x.n * spec.cin * x.h * x.w);
    assert_eq!(dy.len(), x.n * spec.cout * g.oh * g.ow);
    assert_eq!(dw.len(), spec.cout * spec.cin * spec.taps());
    let rows = (192 / g.ow).clamp(1, g.oh);
    let blocks = g.oh.div_ceil(rows);
    let steps = x.n * blocks;
    // The parts' sums are about four million floats in all, so that small weights have more parts.
    let whole = panels * panel_size(&g);
    let parts = ((4 << 20) / whole).clamp(2, 8).min(steps);
    let pass = Pass {
        isa,
        kernel: kernel::<1>(isa),
        g,
        x,
        dy,
        panels,
        rows,
        blocks,
        steps,
        parts,
        split: rayon::current_num_threads().div_ceil(parts).min(panels),
    };
    with_scratch(parts * whole, |sums| {
        let shared = Ptr::new(sums);
        (0..parts * pass.split)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|task| pass.run(task, shared));
        // SAFETY: scratch is that large, and every sum below was written by a task.
        let sums = unsafe { std::slice::from_raw_parts(sums, parts * whole) };
        pass.add_up(sums, dw);
    });
}

impl Pass<'_> {
    fn run(&self, task: usize, sums: Ptr) {
        let _flush = Flush::start();
        let g = &self.g;
        let (part, q) = (task / self.split, task % self.split);
        let panels = self.panels * q / self.split..self.panels * (q + 1) / self.split;
        let packed = g.plane(g.rows(self.rows)) * g.blocks;
        let first = self.steps * part / self.parts;
        with_scratch(packed + self.rows * g.ow * COLS, |buffer| unsafe {
            // SAFETY: scratch is as large as the parts taken from it; tasks write sums of different panels or parts.
            let pixels = buffer.add(packed);
            for step in first..self.steps * (part + 1) / self.parts {
                let (image, r0) = (step / self.blocks, step % self.blocks * self.rows);
                let rows = self.rows.min(g.oh - r0);
                let plane = g.plane(g.rows(rows));
                let x = image * g.spec.cin * self.x.h * self.x.w;
                for b in 0..g.blocks {
                    let dst = buffer.add(b * plane);
                    g.pack(self.isa, self.x.data.as_ptr().add(x), b, r0, rows, dst);
                }
                for p in panels.clone() {
                    self.pack_grad(image, p, r0, rows, pixels);
                    let at = (part * self.panels + p) * panel_size(g);
                    let write = if step > first {
                        Write::Add
                    } else {
                        Write::Replace
                    };
                    self.reduce(buffer, rows, pixels, sums.at(at), write);
                }
            }
        });
    }

    /// dy of panel `p` as `[pixel][32]`.
    ///
    /// # Safety
    /// `dst` has room for the rows.
    unsafe fn pack_grad(&self, image: usize, p: usize, r0: usize, rows: usize, dst: *mut f32) {
        let (cout, plane) = (self.g.spec.cout, self.g.oh * self.g.ow);
        let pixels = rows * self.g.ow;
        for half in 0..2 {
            let c = p * COLS + half * 16;
            let channels = cout.saturating_sub(c).min(16);
            let start = (image * cout + c) * plane + r0 * self.g.ow;
            for q in (0..pixels).step_by(16) {
                let block = Block {
                    src: self.dy.as_ptr().wrapping_add(start + q),
                    src_step: plane,
                    rows: channels,
                    cols: (pixels - q).min(16),
                    dst: dst.wrapping_add(q * COLS + half * 16),
                    dst_step: COLS,
                    rest: Rest::Zeros,
                    bias: std::ptr::null(),
                };
                // SAFETY: channels past the last are not read, only written as zeros.
                unsafe { transpose(self.isa, &block) };
            }
        }
    }

    /// Adds `rows` rows of pixels to the sums `[channel block][tap][channel][32]` of one panel.
    ///
    /// # Safety
    /// `packed` and `pixels` hold those rows, `sums` a panel.
    unsafe fn reduce(
        &self,
        packed: *const f32,
        rows: usize,
        pixels: *const f32,
        sums: *mut f32,
        write: Write,
    ) {
        let g = &self.g;
        let taps = g.spec.taps();
        let plane = g.plane(g.rows(rows));
        let run = |r: usize| Run {
            offset: g.out_row(r),
            n: g.ow,
        };
        let runs: Vec<Run> = (0..rows).map(run).collect();
        for b in 0..g.blocks {
            let channels = g.channels(b);
            for tap in 0..taps {
                let at = b * plane + g.tap(tap / g.spec.kw, tap % g.spec.kw);
                for c in (0..channels).step_by(8) {
                    // SAFETY: channels of a block lie side by side.
                    unsafe {
                        let tile = Tile {
                            rows: (channels - c).min(8),
                            full: true,
                            x: packed.add(at + c),
                            x_step: 16,
                            w: pixels,
                            w_step: COLS,
                            out: sums.add(((b * taps + tap) * 16 + c) * COLS),
                            out_step: COLS,
                            write,
                            finish: Finish::PLAIN,
                        };
                        (self.kernel)(&tile, &runs);
                    }
                }
            }
        }
    }

    /// The parts' sums, added in the order of the parts: whole lines of 32 outputs first, then turned into the weights' order.
    fn add_up(&self, sums: &[f32], dw: &mut [f32]) {
        let (g, dw) = (&self.g, Ptr::new(dw.as_mut_ptr()));
        let block = g.spec.taps() * 16 * COLS;
        (0..self.panels * g.blocks)
            .into_par_iter()
            .for_each(|task| {
                let (p, b) = (task / g.blocks, task % g.blocks);
                let part = |part: usize| {
                    let panel = (part * self.panels + p) * panel_size(g);
                    &sums[panel + b * block..][..block]
                };
                with_scratch(2 * block, |total| {
                    // SAFETY: scratch is that large, and tasks write the gradients of different channels.
                    unsafe {
                        let turned = std::slice::from_raw_parts_mut(total.add(block), block);
                        let total = std::slice::from_raw_parts_mut(total, block);
                        total.copy_from_slice(part(0));
                        for other in 1..self.parts {
                            for (sum, more) in total.iter_mut().zip(part(other)) {
                                *sum += more;
                            }
                        }
                        self.turn(p, b, total, turned, dw);
                    }
                });
            });
    }

    /// `total [tap][channel][32]` of channel block `b` to `dw [cout, cin, taps]`, by way of `turned`.
    ///
    /// # Safety
    /// `dw` holds all weights, and nobody else writes those of these channels.
    unsafe fn turn(&self, p: usize, b: usize, total: &[f32], turned: &mut [f32], dw: Ptr) {
        let (spec, taps) = (self.g.spec, self.g.spec.taps());
        let channels = self.g.channels(b);
        for tap in 0..taps {
            for c in 0..channels {
                let line = &total[(tap * 16 + c) * COLS..][..COLS];
                turned[(c * taps + tap) * COLS..][..COLS].copy_from_slice(line);
            }
        }
        let outputs = (spec.cout - p * COLS).min(COLS);
        let (rows, width) = (channels * taps, spec.cin * taps);
        for o in (0..outputs).step_by(16) {
            // SAFETY: rows of 32 outputs become columns of as many weights, of which `outputs` are there.
            unsafe {
                transpose_all(
                    self.isa,
                    (turned.as_ptr().add(o), COLS),
                    (rows, (outputs - o).min(16)),
                    (dw.at((p * COLS + o) * width + b * 16 * taps), width),
                    Rest::Nothing,
                );
            }
        }
    }
}
