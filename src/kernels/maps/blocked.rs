//! Feature maps as `[image][channel / 16][row][column][16]`, and where a layer writes its part of them.

use crate::kernels::simd::transpose::{Rest, transpose_all};
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::scratch::{Line, Ptr, unfilled};
use rayon::prelude::*;

/// Maps of `n` images of `h` x `w`; lanes past the last channel hold zeros.
pub struct Blocked {
    /// what operations on them run on
    pub isa: Isa,
    lines: Vec<Line>,
    pub n: usize,
    pub channels: usize,
    pub h: usize,
    pub w: usize,
}

/// Channels side by side: pictures keep their three, everything else comes in sixteens.
pub fn lanes(channels: usize) -> usize {
    if channels == 3 { 3 } else { 16 }
}

impl Blocked {
    /// Maps whose content the caller writes completely before anyone reads it.
    #[allow(clippy::uninit_vec)]
    pub fn unfilled(isa: Isa, n: usize, channels: usize, (h, w): (usize, usize)) -> Blocked {
        let lanes = lanes(channels);
        let floats = n * channels.div_ceil(lanes) * h * w * lanes;
        let mut lines = Vec::with_capacity(floats.div_ceil(16));
        // SAFETY: the capacity is there, every bit pattern is a line of floats, and every caller writes all elements.
        unsafe { lines.set_len(floats.div_ceil(16)) };
        Blocked {
            isa,
            lines,
            n,
            channels,
            h,
            w,
        }
    }

    pub fn lanes(&self) -> usize {
        lanes(self.channels)
    }

    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(self.lanes())
    }

    /// Floats of one channel block of one image.
    pub fn plane(&self) -> usize {
        self.h * self.w * self.lanes()
    }

    /// Floats of one image.
    pub fn image(&self) -> usize {
        self.blocks() * self.plane()
    }

    pub fn data(&self) -> &[f32] {
        // SAFETY: lines are sixteen floats each, without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.n * self.image()) }
    }

    fn ptr(&mut self) -> Ptr {
        Ptr::new(self.lines.as_mut_ptr().cast())
    }

    /// Channel block `block` of image `image`, rows of `w` pixels.
    pub fn block(&self, image: usize, block: usize) -> &[f32] {
        &self.data()[image * self.image() + block * self.plane()..][..self.plane()]
    }

    /// The part of these maps that starts at `channel`, a multiple of sixteen, for a layer to write.
    pub fn slot(&mut self, channel: usize) -> Slot<'_> {
        let (image, plane) = (self.image(), self.plane());
        Slot {
            image,
            plane,
            first: channel / 16 * plane,
            w: self.w,
            h: self.h,
            data: self.ptr(),
            life: std::marker::PhantomData,
        }
    }

    /// From planes `[n, channels, h, w]`.
    pub fn from_planes(
        isa: Isa,
        x: &[f32],
        (n, channels, h, w): (usize, usize, usize, usize),
    ) -> Blocked {
        let mut maps = Blocked::unfilled(isa, n, channels, (h, w));
        let (lanes, blocks, plane) = (maps.lanes(), maps.blocks(), maps.plane());
        let out = maps.ptr();
        (0..n * blocks).into_par_iter().for_each(|task| {
            let (image, first) = (task / blocks, task % blocks * lanes);
            let rows = (channels - first).min(lanes);
            let src = &x[(image * channels + first) * h * w..][..rows * h * w];
            // SAFETY: each task writes one block of one image.
            unsafe {
                let (src, dst) = ((src.as_ptr(), h * w), (out.at(task * plane), lanes));
                let rest = if lanes == 16 {
                    Rest::Zeros
                } else {
                    Rest::Nothing
                };
                transpose_all(isa, src, (rows, h * w), dst, rest);
            }
        });
        maps
    }

    /// As planes `[n, channels, h, w]`.
    pub fn planes(&self) -> Vec<f32> {
        let (lanes, pixels) = (self.lanes(), self.h * self.w);
        let mut y = unfilled(self.n * self.channels * pixels);
        y.par_chunks_mut(self.channels * pixels)
            .enumerate()
            .for_each(|(image, y)| {
                for (b, y) in y.chunks_mut(lanes * pixels).enumerate() {
                    let (src, cols) = (self.block(image, b), y.len() / pixels);
                    // SAFETY: both sides hold `cols` channels of every pixel.
                    unsafe {
                        let (src, dst) = ((src.as_ptr(), lanes), (y.as_mut_ptr(), pixels));
                        transpose_all(self.isa, src, (pixels, cols), dst, Rest::Nothing);
                    }
                }
            });
        y
    }

    /// The first `channels` (at most 16) of every pixel, pixel by pixel: `[n, h, w, channels]`.
    pub fn first(&self, channels: usize) -> Vec<f32> {
        let mut y = Vec::with_capacity(self.n * self.h * self.w * channels);
        for image in 0..self.n {
            for pixel in self.block(image, 0).chunks(self.lanes()) {
                y.extend_from_slice(&pixel[..channels]);
            }
        }
        y
    }

    /// The mean of every channel: `[n, channels]`.
    pub fn means(&self) -> Vec<f32> {
        let (lanes, channels) = (self.lanes(), self.channels);
        let scale = 1.0 / (self.h * self.w) as f32;
        let mut y = unfilled(self.n * channels);
        y.par_chunks_mut(channels)
            .enumerate()
            .for_each(|(image, y)| {
                let _flush = Flush::start();
                for (b, y) in y.chunks_mut(lanes).enumerate() {
                    // Sums of rows, then of those: short sums round less.
                    let mut total = [0f32; 16];
                    for row in self.block(image, b).chunks(self.w * lanes) {
                        let mut sum = [0f32; 16];
                        for pixel in row.chunks_exact(lanes) {
                            sum.iter_mut().zip(pixel).for_each(|(s, v)| *s += v);
                        }
                        total.iter_mut().zip(sum).for_each(|(t, s)| *t += s);
                    }
                    y.iter_mut().zip(total).for_each(|(y, t)| *y = t * scale);
                }
            });
        y
    }
}

/// Where a layer writes: some channel blocks of every image of maps that are being made.
pub struct Slot<'a> {
    data: Ptr,
    /// floats of an image, and of one of its channel blocks
    image: usize,
    pub plane: usize,
    /// floats before the slot's first block
    first: usize,
    pub h: usize,
    pub w: usize,
    life: std::marker::PhantomData<&'a mut Blocked>,
}

impl Slot<'_> {
    /// Pixel `pixel` of the slot's channel block `block` of image `image`.
    ///
    /// # Safety
    /// It must exist, and belong to the calling task alone.
    pub unsafe fn at(&self, image: usize, block: usize, pixel: usize) -> *mut f32 {
        let offset = image * self.image + self.first + block * self.plane + pixel * 16;
        // SAFETY: the caller vouches for it.
        unsafe { self.data.at(offset) }
    }
}
