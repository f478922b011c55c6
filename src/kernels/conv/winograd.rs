//! Winograd F(2x2, 3x3) for stride 1: 2.25 times fewer multiplications, and more accurate than direct (shorter sums).
//!
//! Repacked input -> V[frequency][channel block][tile][16] -> one small matrix product a frequency -> M -> output rows.

use super::layout::{Geometry, Images, Spec, part, parts};
use super::store::Output;
use super::transforms::{self, F, transforms};
use super::weights::Weights;
use crate::kernels::simd::tile::{COLS, Finish, Kernel, Run, Tile, Write, kernel, tiles};
use crate::machine::flush::Flush;
use crate::machine::scratch::{Line, ZERO, with_scratch};
use rayon::prelude::*;

/// Whether the transforms pay: decided by the shape alone, so that results do not depend on batch or threads.
pub fn pays(spec: &Spec, oh: usize, ow: usize) -> bool {
    let three = spec.kh == 3 && spec.kw == 3 && spec.stride == 1;
    three && spec.cin >= 32 && spec.cout >= 32 && oh >= 4 && ow >= 4
}

/// How the work is cut: a task is some rows of tiles of one image, or some whole images.
struct Cut {
    /// rows of tiles a task, and tasks an image
    rows: usize,
    blocks: usize,
    /// parts that the images are divided into
    parts: usize,
    tasks: usize,
}

impl Cut {
    /// V takes about half a megabyte, but a task never has so few tiles that streaming the weights through the cache costs
    /// more than the arithmetic.
    fn new(g: &Geometry, n: usize, threads: usize) -> Cut {
        let (ty, tx) = (g.oh / 2, g.ow / 2);
        let want = ((1 << 19) / (F * g.blocks * 64)).max(42);
        let mut rows = (want / tx).clamp(1, ty);
        if n < threads {
            rows = rows.min(ty.div_ceil(threads));
        }
        let rows = ty.div_ceil(ty.div_ceil(rows));
        let blocks = ty.div_ceil(rows);
        let parts = match blocks {
            1 => parts(n, want / (tx * ty), threads),
            _ => n,
        };
        Cut {
            rows,
            blocks,
            parts,
            tasks: blocks * parts,
        }
    }
}

struct Pass<'a> {
    kernel: Kernel,
    input: transforms::Input,
    output: transforms::Output,
    /// whole tiles: the geometry of an output rounded up to even sizes
    g: Geometry,
    x: Images<'a>,
    u: &'a [Line],
    out: Output<'a>,
    cut: Cut,
    panels: usize,
    /// panels whose M is held at a time: about a megabyte
    together: usize,
}

/// `x [n, cin, h, w]` to `out [n, cout, oh, ow]`.
pub fn forward(spec: Spec, x: Images, weights: Weights, out: Output) {
    let (oh, ow) = spec.out(x.h, x.w);
    let g = Geometry::of_output(
        spec,
        (x.h, x.w),
        (oh.next_multiple_of(2), ow.next_multiple_of(2)),
    );
    assert_eq!(x.data.len(), x.n * spec.cin * x.h * x.w);
    let panels = spec.cout.div_ceil(COLS);
    let lines = spec.cout.div_ceil(16) * spec.cin * F;
    let (input, output) = transforms(out.isa);
    with_scratch(lines * 16, |buffer| {
        // SAFETY: scratch holds that many lines, aligned.
        let u = unsafe { std::slice::from_raw_parts_mut(buffer as *mut Line, lines) };
        u.par_chunks_mut(2 * spec.cin * F)
            .enumerate()
            .for_each(|(p, panel)| pack_weights(&out, spec, weights, p, panel));
        let cut = Cut::new(&g, x.n, rayon::current_num_threads());
        let tiles = x.n.div_ceil(cut.parts) * cut.rows * g.ow / 2;
        let pass = Pass {
            kernel: kernel::<16>(out.isa),
            input,
            output,
            g,
            x,
            u,
            out,
            cut,
            panels,
            together: ((1 << 20) / (F * tiles * COLS * 4)).clamp(1, panels),
        };
        (0..pass.cut.tasks)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|task| pass.run(task));
    });
}

/// One panel as `[frequency][channel][32]` (16 wide where 16 or fewer outputs are left).
fn pack_weights(out: &Output, spec: Spec, weights: Weights, p: usize, panel: &mut [Line]) {
    let halves = panel.len() / (spec.cin * F);
    let mut lines = vec![ZERO; spec.cin * 9];
    for half in 0..halves {
        let o = p * COLS + half * 16;
        weights.lines(out.isa, o, (spec.cout - o).min(16), 9, &mut lines);
        let u = &mut panel[half..];
        transforms::weights(out.isa, &lines, spec.cin, halves, u);
    }
}

/// One task's part of the work: images `first..first + images`, rows of tiles `t0..t0 + rows`.
struct Part {
    first: usize,
    images: usize,
    t0: usize,
    rows: usize,
    /// tiles a row, an image, and in all
    tx: usize,
    per: usize,
    tiles: usize,
}

impl Pass<'_> {
    fn run(&self, task: usize) {
        let _flush = Flush::start();
        let (g, cut) = (&self.g, &self.cut);
        let images = part(self.x.n, cut.parts, task / cut.blocks);
        let t0 = task % cut.blocks * cut.rows;
        let rows = cut.rows.min(g.oh / 2 - t0);
        let tx = g.ow / 2;
        let part = Part {
            first: images.start,
            images: images.len(),
            t0,
            rows,
            tx,
            per: rows * tx,
            tiles: images.len() * rows * tx,
        };
        let packed = g.plane(g.rows(rows * 2));
        let v_size = F * g.blocks * part.tiles * 16;
        let m_size = self.together * F * part.tiles * COLS;
        let all = packed + v_size + m_size + rows * 2 * g.ow * COLS;
        with_scratch(all, |buffer| unsafe {
            // SAFETY: scratch is as large as the parts taken from it here.
            let v = buffer.add(packed);
            let m = v.add(v_size);
            let sums = m.add(m_size);
            self.transform_input(&part, buffer, v);
            for start in (0..self.panels).step_by(self.together) {
                let panels = start..self.panels.min(start + self.together);
                for f in 0..F {
                    for p in panels.clone() {
                        let out = m.add(((p - start) * F + f) * part.tiles * COLS);
                        self.multiply(&part, f, p, v, out);
                    }
                }
                for p in panels {
                    let m = m.add((p - start) * F * part.tiles * COLS);
                    self.transform_output(&part, p, m, sums);
                }
            }
        });
    }

    /// # Safety
    /// `packed` holds one channel block's rows, `v` everything of the task.
    unsafe fn transform_input(&self, part: &Part, packed: *mut f32, v: *mut f32) {
        let g = &self.g;
        let step = g.blocks * part.tiles * 16;
        for i in 0..part.images {
            for b in 0..g.blocks {
                // SAFETY: tiles are numbered within the task.
                unsafe {
                    let size = g.spec.cin * self.x.h * self.x.w;
                    let x = self.x.data.as_ptr().add((part.first + i) * size);
                    g.pack(self.out.isa, x, b, part.t0 * 2, part.rows * 2, packed);
                    let v = v.add((b * part.tiles + i * part.per) * 16);
                    for y in 0..part.rows {
                        for x in 0..part.tx {
                            let corner = packed.add((y * 2 * g.row + x * 2) * 16);
                            let dst = v.add((y * part.tx + x) * 16);
                            (self.input)(corner, g.row * 16, dst, step);
                        }
                    }
                }
            }
        }
    }

    /// M[f] of panel `p`: tiles times channels by channels times outputs.
    ///
    /// # Safety
    /// `out` has room for `tiles` sums of 32.
    unsafe fn multiply(&self, part: &Part, f: usize, p: usize, v: *const f32, out: *mut f32) {
        let g = &self.g;
        let full = self.out.full(p);
        let halves = 1 + usize::from(full);
        let w = self.u[(p * 2 * F + f * halves) * g.spec.cin..].as_ptr() as *const f32;
        let run = |b: usize| Run {
            offset: b * part.tiles * 16,
            n: g.channels(b),
        };
        let runs: Vec<Run> = (0..g.blocks).map(run).collect();
        tiles(self.out.isa, part.tiles, |c, rows| {
            // SAFETY: the tile lies within V[f].
            unsafe {
                let tile = Tile {
                    rows,
                    full,
                    x: v.add((f * g.blocks * part.tiles + c) * 16),
                    x_step: 1,
                    w,
                    w_step: 16 * halves,
                    out: out.add(c * COLS),
                    out_step: COLS,
                    write: Write::Replace,
                    finish: Finish::PLAIN,
                };
                (self.kernel)(&tile, &runs);
            }
        });
    }

    /// # Safety
    /// `m` holds panel `p` of the task, `sums` has room for an image's rows.
    unsafe fn transform_output(&self, part: &Part, p: usize, m: *const f32, sums: *mut f32) {
        let g = &self.g;
        let (oh, ow) = g.spec.out(g.h, g.w);
        let last = oh.min((part.t0 + part.rows) * 2);
        for i in 0..part.images {
            for y in 0..part.rows {
                let rows = 2.min(last - (part.t0 + y) * 2);
                for x in 0..part.tx {
                    let cols = 2.min(ow - x * 2);
                    for half in 0..1 + usize::from(self.out.full(p)) {
                        // SAFETY: rows and columns past the image are left out.
                        unsafe {
                            let tile = i * part.per + y * part.tx + x;
                            let src = m.add(tile * COLS + half * 16);
                            let dst = sums.add((y * 2 * ow + x * 2) * COLS + half * 16);
                            (self.output)(src, part.tiles * COLS, dst, ow * COLS, rows, cols);
                        }
                    }
                }
            }
            let pixels = part.t0 * 2 * ow..last * ow;
            // SAFETY: the rows belong to this task alone.
            unsafe {
                self.out.store(part.first + i, p, pixels, sums);
            }
        }
    }
}
