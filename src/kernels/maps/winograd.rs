//! Winograd F(4x4, 3x3) from blocked maps to blocked maps: four times fewer multiplications than direct.
//!
//! Pixels -> V[frequency][channel block][tile][16] -> one small matrix product a frequency -> M -> pixels.

use super::blocked::{Blocked, Slot};
use super::transforms::{self, F, Input, OUT, Output};
use super::weights::{Activation, depth, pad_bias};
use crate::kernels::conv::layout::Spec;
use crate::kernels::simd::tile::{COLS, Finish, Kernel, Run, Tile, Write, kernel, tiles};
use crate::machine::flush::Flush;
use crate::machine::scratch::{Line, ZERO, with_scratch};
use rayon::prelude::*;

/// Bytes that V may take, unless that would be fewer than `TILES` tiles.
const BLOCK: usize = 512 << 10;
/// Tiles of a task below which streaming the weights through the cache costs more than the arithmetic.
const TILES: usize = 28;

/// Whether the transforms pay: decided by the layer alone, so that results depend on nothing else.
pub fn pays(spec: &Spec) -> bool {
    let three = spec.kh == 3 && spec.kw == 3 && spec.stride == 1;
    three && spec.cin >= 32 && spec.cout >= 32
}

pub struct Winograd {
    spec: Spec,
    /// panels of 32 outputs (the last may be 16 wide), each `[frequency][channel][32]`
    u: Vec<Line>,
    bias: Vec<Line>,
    relu: bool,
}

impl Winograd {
    /// `w [cout, cin, 3, 3]`, `bias [cout]`.
    pub fn new(spec: Spec, w: &[f32], bias: &[f32], activation: Activation) -> Winograd {
        let k = depth(&spec);
        let mut u = vec![ZERO; spec.cout.div_ceil(16) * k * F];
        u.par_chunks_mut(2 * k * F)
            .enumerate()
            .for_each(|(p, panel)| {
                let halves = panel.len() / (k * F);
                for o in p * COLS..spec.cout.min(p * COLS + halves * 16) {
                    let (half, lane) = (o % COLS / 16, o % 16);
                    for c in 0..spec.cin {
                        let taps = &w[(o * spec.cin + c) * 9..][..9];
                        for (f, value) in transforms::weights(taps).into_iter().enumerate() {
                            panel[(f * k + c) * halves + half].0[lane] = value;
                        }
                    }
                }
            });
        Winograd {
            spec,
            u,
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

/// One call, cut into tasks: some rows of tiles of one image, or some whole images.
struct Pass<'a> {
    conv: &'a Winograd,
    kernel: Kernel,
    x: &'a Blocked,
    out: &'a Slot<'a>,
    /// tiles of an image
    ty: usize,
    tx: usize,
    /// rows of tiles a task, and tasks an image
    rows: usize,
    strips: usize,
    /// images a task
    group: usize,
    tasks: usize,
}

/// One task's part of the work.
struct Part {
    first: usize,
    images: usize,
    top: usize,
    rows: usize,
    /// tiles an image, and in all
    per: usize,
    tiles: usize,
    /// floats from one frequency to the next in V and in M: odd numbers of lines, so that frequencies do not fight for
    /// the same places in the cache
    v_step: usize,
    m_step: usize,
}

fn odd_lines(lines: usize) -> usize {
    (lines | 1) * 16
}

impl<'a> Pass<'a> {
    fn new(conv: &'a Winograd, x: &'a Blocked, out: &'a Slot) -> Pass<'a> {
        let threads = rayon::current_num_threads();
        let (ty, tx) = (out.h.div_ceil(OUT), out.w.div_ceil(OUT));
        let want = (BLOCK / (F * x.blocks() * 64)).max(TILES);
        let mut rows = (want / tx).clamp(1, ty);
        if x.n < threads {
            rows = rows.min(ty.div_ceil(threads));
        }
        let strips = ty.div_ceil(rows);
        let group = match strips {
            1 => (want / (tx * ty)).clamp(1, x.n.div_ceil(threads)),
            _ => 1,
        };
        Pass {
            conv,
            kernel: kernel::<16>(x.isa),
            x,
            out,
            ty,
            tx,
            rows: ty.div_ceil(strips),
            strips,
            group,
            tasks: strips * x.n.div_ceil(group),
        }
    }

    fn part(&self, task: usize) -> Part {
        let first = task / self.strips * self.group;
        let images = self.group.min(self.x.n - first);
        let top = task % self.strips * self.rows;
        let rows = self.rows.min(self.ty.saturating_sub(top));
        let (per, blocks) = (rows * self.tx, self.x.blocks());
        Part {
            first,
            images,
            top,
            rows,
            per,
            tiles: per * images,
            v_step: odd_lines(blocks * per * images),
            m_step: odd_lines(per * images * 2),
        }
    }

    fn run(&self, task: usize) {
        let _flush = Flush::start();
        let part = self.part(task);
        with_scratch(F * (part.v_step + part.m_step), |v| {
            // SAFETY: scratch is as large as the parts taken from it here; the pixels belong to this task alone.
            unsafe {
                let m = v.add(F * part.v_step);
                self.transform_input(&part, v);
                for p in 0..self.conv.spec.cout.div_ceil(COLS) {
                    for f in 0..F {
                        let (v, m) = (v.add(f * part.v_step), m.add(f * part.m_step));
                        self.multiply(&part, f, p, v, m);
                    }
                    self.transform_output(&part, p, m);
                }
            }
        });
    }

    /// # Safety
    /// `v` has room for the part.
    unsafe fn transform_input(&self, part: &Part, v: *mut f32) {
        let spec = &self.conv.spec;
        for i in 0..part.images {
            for b in 0..self.x.blocks() {
                let job = Input {
                    x: self.x.block(part.first + i, b),
                    h: self.x.h,
                    w: self.x.w,
                    pad_y: spec.pad_y,
                    pad_x: spec.pad_x,
                    top: part.top,
                    rows: part.rows,
                    cols: self.tx,
                    // SAFETY: tiles are numbered within the part.
                    v: unsafe { v.add((b * part.tiles + i * part.per) * 16) },
                    step: part.v_step,
                };
                transforms::input(self.x.isa, &job);
            }
        }
    }

    /// M[f] of panel `p`: tiles times channels by channels times outputs.
    ///
    /// # Safety
    /// `v` and `m` point at frequency `f` of the part.
    unsafe fn multiply(&self, part: &Part, f: usize, p: usize, v: *const f32, m: *mut f32) {
        let k = depth(&self.conv.spec);
        let full = self.full(p);
        let halves = 1 + usize::from(full);
        let w = self.conv.u[(p * 2 * F + f * halves) * k..].as_ptr();
        // The channel blocks of a tile are as far apart as the tiles of a block take room.
        let run = |b: usize| Run {
            offset: b * part.tiles * 16,
            n: 16,
        };
        let runs: Vec<Run> = (0..self.x.blocks()).map(run).collect();
        tiles(self.x.isa, part.tiles, |c, rows| {
            // SAFETY: the tile lies within V[f] and M[f].
            unsafe {
                let tile = Tile {
                    rows,
                    full,
                    x: v.add(c * 16),
                    x_step: 1,
                    w: w.cast(),
                    w_step: 16 * halves,
                    out: m.add(c * COLS),
                    out_step: COLS,
                    write: Write::Replace,
                    finish: Finish::PLAIN,
                };
                (self.kernel)(&tile, &runs);
            }
        });
    }

    /// # Safety
    /// `m` holds panel `p` of the part.
    unsafe fn transform_output(&self, part: &Part, p: usize, m: *const f32) {
        for i in 0..part.images {
            for half in 0..1 + usize::from(self.full(p)) {
                let block = p * 2 + half;
                // SAFETY: the image's rows of this block belong to this task alone.
                let job = unsafe {
                    Output {
                        m: m.add(i * part.per * COLS + half * 16),
                        step: part.m_step,
                        y: self.out.at(part.first + i, block, 0),
                        h: self.out.h,
                        w: self.out.w,
                        top: part.top,
                        rows: part.rows,
                        cols: self.tx,
                        bias: self.conv.bias[block].0.as_ptr(),
                        relu: self.conv.relu,
                    }
                };
                transforms::output(self.x.isa, &job);
            }
        }
    }

    /// Whether panel `p` has more than its first half.
    fn full(&self, p: usize) -> bool {
        self.conv.spec.cout - p * COLS > 16
    }
}
