//! Direct convolution: the micro-kernel walks (channel block, tap, channel) with all sums of a tile in registers.

use super::layout::{Geometry, Images, Spec, part, parts};
use super::store::Output;
use super::weights::Weights;
use crate::kernels::simd::tile::{COLS, Finish, Kernel, Run, Tile, Write, kernel, tiles};
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::scratch::{Line, Ptr, ZERO, with_scratch};
use rayon::prelude::*;

/// Bytes of packed input that a task may hold: half of a second-level cache.
const BLOCK: usize = 512 << 10;

/// How the work is cut: a task is some rows of one image, or some whole images, for some panels of 32 channels.
struct Cut {
    /// output rows a task, and tasks an image
    rows: usize,
    blocks: usize,
    /// parts that the images are divided into
    parts: usize,
    /// parts that the panels are divided into
    split: usize,
    tasks: usize,
}

impl Cut {
    fn new(g: &Geometry, n: usize, panels: usize, threads: usize) -> Cut {
        let per_row = g.row * g.spec.stride * g.blocks * 16 * 4;
        let mut rows = (BLOCK / per_row).clamp(1, g.oh);
        if n == 1 {
            rows = rows.min(g.oh.div_ceil(2 * threads));
        }
        let rows = g.oh.div_ceil(g.oh.div_ceil(rows));
        let blocks = g.oh.div_ceil(rows);
        let parts = match blocks {
            1 => parts(n, BLOCK / (per_row * g.oh), threads),
            _ => n,
        };
        let tasks = blocks * parts;
        let split = if tasks < threads {
            (2 * threads / tasks).clamp(1, panels)
        } else {
            1
        };
        Cut {
            rows,
            blocks,
            parts,
            split,
            tasks: tasks * split,
        }
    }
}

struct Pass<'a> {
    isa: Isa,
    kernel: Kernel,
    g: Geometry,
    x: Images<'a>,
    w: &'a [Line],
    out: Output<'a>,
    cut: Cut,
    panels: usize,
    /// output rows finished at a time, so that narrow maps still fill vectors
    chunk: usize,
}

/// `x [n, cin, h, w]` to `out [n, cout, oh, ow]`.
pub fn forward(spec: Spec, x: Images, weights: Weights, out: Output) {
    let g = Geometry::new(spec, x.h, x.w);
    let panels = spec.cout.div_ceil(COLS);
    let k = spec.cin * spec.taps();
    let lines = spec.cout.div_ceil(16) * k;
    assert_eq!(x.data.len(), x.n * spec.cin * x.h * x.w);
    with_scratch(lines * 16, |buffer| {
        // SAFETY: scratch holds that many lines, aligned.
        let w = unsafe { std::slice::from_raw_parts_mut(buffer as *mut Line, lines) };
        w.par_chunks_mut(2 * k)
            .enumerate()
            .for_each(|(p, panel)| pack_weights(out.isa, spec, weights, p, panel));
        let cut = Cut::new(&g, x.n, panels, rayon::current_num_threads());
        let pass = Pass {
            isa: out.isa,
            kernel: kernel::<16>(out.isa),
            g,
            x,
            w,
            out,
            chunk: (128 / g.ow).clamp(1, cut.rows),
            cut,
            panels,
        };
        (0..pass.cut.tasks)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|task| pass.run(task));
    });
}

/// One panel as `[cin / 16][ky][kx][channel][32]` (16 wide where 16 or fewer outputs are left).
fn pack_weights(isa: Isa, spec: Spec, weights: Weights, p: usize, panel: &mut [Line]) {
    let (taps, halves) = (spec.taps(), panel.len() / (spec.cin * spec.taps()));
    let mut lines = vec![ZERO; spec.cin * taps];
    for half in 0..halves {
        let o = p * COLS + half * 16;
        weights.lines(isa, o, (spec.cout - o).min(16), taps, &mut lines);
        for (i, lines) in lines.chunks_exact(taps).enumerate() {
            let (first, within) = (i / 16 * 16, i % 16);
            let channels = (spec.cin - first).min(16);
            for (t, line) in lines.iter().enumerate() {
                panel[(first * taps + t * channels + within) * halves + half] = *line;
            }
        }
    }
}

impl Pass<'_> {
    fn run(&self, task: usize) {
        let _flush = Flush::start();
        let (g, cut, spec) = (&self.g, &self.cut, self.g.spec);
        let (task, share) = (task / cut.split, task % cut.split);
        let range = part(self.x.n, cut.parts, task / cut.blocks);
        let (first, images) = (range.start, range.len());
        let r0 = task % cut.blocks * cut.rows;
        let rows = cut.rows.min(g.oh - r0);
        let plane = g.plane(g.rows(rows));
        let image = plane * g.blocks;
        let runs = self.runs(plane);
        let size = spec.cin * self.x.h * self.x.w;
        with_scratch(image * images + self.chunk * g.ow * COLS, |packed| unsafe {
            // SAFETY: scratch is as large as the parts taken from it here.
            let sums = packed.add(image * images);
            for i in 0..images {
                let x = self.x.data.as_ptr().add((first + i) * size);
                for b in 0..g.blocks {
                    let dst = packed.add(i * image + b * plane);
                    g.pack(self.isa, x, b, r0, rows, dst);
                }
            }
            for p in self.panels * share / cut.split..self.panels * (share + 1) / cut.split {
                for i in 0..images {
                    for r in (0..rows).step_by(self.chunk) {
                        let m = self.chunk.min(rows - r);
                        let x = packed.add(i * image + g.out_row(r));
                        self.rows(x, m, p, &runs, sums);
                        let start = (r0 + r) * g.ow;
                        self.out.store(first + i, p, start..start + m * g.ow, sums);
                    }
                }
            }
        });
    }

    /// The reduction of every output pixel: all channels of all taps of all channel blocks.
    fn runs(&self, plane: usize) -> Vec<Run> {
        let g = &self.g;
        let mut runs = Vec::with_capacity(g.blocks * g.spec.taps());
        for b in 0..g.blocks {
            for ky in 0..g.spec.kh {
                for kx in 0..g.spec.kw {
                    runs.push(Run {
                        offset: b * plane + g.tap(ky, kx),
                        n: g.channels(b),
                    });
                }
            }
        }
        runs
    }

    /// Sums of `m` output rows of panel `p`.
    ///
    /// # Safety
    /// `x` points at the first of the rows in packed input, `sums` at room for `m * ow` pixels.
    unsafe fn rows(&self, x: *const f32, m: usize, p: usize, runs: &[Run], sums: *mut f32) {
        let g = &self.g;
        let full = self.out.full(p);
        let w = self.w[p * 2 * g.spec.cin * g.spec.taps()..].as_ptr() as *const f32;
        for r in 0..m {
            tiles(self.isa, g.ow, |c, rows| {
                // SAFETY: the tile's pixels lie within the row.
                unsafe {
                    let tile = Tile {
                        rows,
                        full,
                        x: x.add(g.out_row(r) + c * 16),
                        x_step: 1,
                        w,
                        w_step: if full { 32 } else { 16 },
                        out: sums.add((r * g.ow + c) * COLS),
                        out_step: COLS,
                        write: Write::Replace,
                        finish: Finish::PLAIN,
                    };
                    (self.kernel)(&tile, runs);
                }
            });
        }
    }
}

/// The output that a pass writes into: `[n, channels, plane]` floats.
pub fn output<'a>(
    isa: Isa,
    data: &mut [f32],
    channels: usize,
    plane: usize,
    bias: Option<&'a [f32]>,
) -> Output<'a> {
    Output {
        isa,
        data: Ptr::new(data.as_mut_ptr()),
        channels,
        plane,
        bias,
    }
}
