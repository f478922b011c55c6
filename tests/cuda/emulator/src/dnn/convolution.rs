//! The arithmetic: each image is unfolded into a matrix of its patches.

use crate::dnn::described::{Convolution, Tensor4};
use crate::memory::holds;
use crate::values::{Kind, Matrix, product};
use std::ffi::c_void;

/// Sizes that fit each other.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    x: Tensor4,
    w: Tensor4,
    y: Tensor4,
    kind: Kind,
    how: Convolution,
}

impl Sizes {
    /// None where cuDNN would refuse them.
    pub fn of(x: Tensor4, w: Tensor4, y: Tensor4, how: Convolution) -> Option<Sizes> {
        let kind = x.kind?;
        if w.kind != Some(kind) || y.kind != Some(kind) || x.dims[1] != w.dims[1] {
            return None;
        }
        let out = |i: usize| {
            let room = x.dims[i + 2] + 2 * how.pad[i];
            Some(room.checked_sub(w.dims[i + 2])? / how.stride[i] + 1)
        };
        let fits = y.dims == [x.dims[0], w.dims[0], out(0)?, out(1)?];
        fits.then_some(Sizes { x, w, y, kind, how })
    }

    /// Elements of a patch, and patches of an image.
    fn unfolded(&self) -> (usize, usize) {
        let [_, c, kh, kw] = self.w.dims;
        (c * kh * kw, self.y.dims[2] * self.y.dims[3])
    }

    /// Calls `body` with each element of the unfolded image that lies in the image, and with its offset there.
    fn each(&self, mut body: impl FnMut(usize, usize)) {
        let [_, c, kh, kw] = self.w.dims;
        let [_, _, h, w] = self.x.dims;
        let [_, _, oh, ow] = self.y.dims;
        let [_, next_c, next_h, next_w] = self.x.strides;
        let inside = |at: usize, k: usize, i: usize, size: usize| {
            (at * self.how.stride[i] + k)
                .checked_sub(self.how.pad[i])
                .filter(|&at| at < size)
        };
        for (row, (c, dy, dx)) in (0..c)
            .flat_map(|c| (0..kh).flat_map(move |dy| (0..kw).map(move |dx| (c, dy, dx))))
            .enumerate()
        {
            for oy in 0..oh {
                let Some(y) = inside(oy, dy, 0, h) else {
                    continue;
                };
                for ox in 0..ow {
                    if let Some(x) = inside(ox, dx, 1, w) {
                        let at = c * next_c + y * next_h + x * next_w;
                        body(row * oh * ow + oy * ow + ox, at);
                    }
                }
            }
        }
    }

    fn patches(&self, x: *const c_void, n: usize) -> Vec<f32> {
        let (rows, columns) = self.unfolded();
        let mut patches = vec![0f32; rows * columns];
        // SAFETY: `places` were checked by `reads`.
        self.each(|to, from| patches[to] = unsafe { self.input(x, n * self.x.strides[0] + from) });
        patches
    }

    /// An input as the arithmetic takes it.
    unsafe fn input(&self, from: *const c_void, at: usize) -> f32 {
        let value = unsafe { self.kind.read(from, at) };
        match self.kind {
            Kind::F32 if self.how.tf32 => tf32(value),
            _ => value,
        }
    }

    /// A tensor's elements in the order of its dims, of image `n` alone where it is given.
    unsafe fn list(&self, tensor: &Tensor4, from: *const c_void, n: Option<usize>) -> Vec<f32> {
        places(tensor, n)
            .map(|at| unsafe { self.input(from, at) })
            .collect()
    }

    unsafe fn put(&self, tensor: &Tensor4, to: *mut c_void, n: Option<usize>, values: &[f32]) {
        for (at, value) in places(tensor, n).zip(values) {
            unsafe { self.kind.write(to, at, *value) };
        }
    }

    fn whole(&self, all: [(&Tensor4, *const c_void); 3]) -> bool {
        all.iter()
            .all(|(tensor, at)| holds(*at, tensor.reach() * self.kind.bytes()))
    }

    /// `y` = the convolution of `x` with `w`; false where a buffer is too small.
    pub unsafe fn forward(&self, x: *const c_void, w: *const c_void, y: *mut c_void) -> bool {
        if !self.whole([(&self.x, x), (&self.w, w), (&self.y, y)]) {
            return false;
        }
        let (patch, count) = self.unfolded();
        let filters = self.w.dims[0];
        let w = unsafe { self.list(&self.w, w, None) };
        let mut made = vec![0f32; filters * count];
        for n in 0..self.x.dims[0] {
            let patches = self.patches(x, n);
            product(
                Matrix::of_rows(&w, filters, patch),
                Matrix::of_rows(&patches, patch, count),
                &mut made,
            );
            unsafe { self.put(&self.y, y, Some(n), &made) };
        }
        true
    }

    /// `dx` = the gradient of the input.
    pub unsafe fn input_grad(&self, w: *const c_void, dy: *const c_void, dx: *mut c_void) -> bool {
        if !self.whole([(&self.x, dx), (&self.w, w), (&self.y, dy)]) {
            return false;
        }
        let (patch, count) = self.unfolded();
        let filters = self.w.dims[0];
        let w = unsafe { self.list(&self.w, w, None) };
        let mut patches = vec![0f32; patch * count];
        for n in 0..self.x.dims[0] {
            let dy = unsafe { self.list(&self.y, dy, Some(n)) };
            product(
                Matrix::of_rows(&w, filters, patch).turned(),
                Matrix::of_rows(&dy, filters, count),
                &mut patches,
            );
            let mut image = vec![0f32; self.x.reach()];
            self.each(|from, to| image[to] += patches[from]);
            let first = n * self.x.strides[0];
            for at in places(&self.x, Some(n)) {
                unsafe { self.kind.write(dx, at, image[at - first]) };
            }
        }
        true
    }

    /// `dw` = the gradient of the filters.
    pub unsafe fn filter_grad(&self, x: *const c_void, dy: *const c_void, dw: *mut c_void) -> bool {
        if !self.whole([(&self.x, x), (&self.w, dw), (&self.y, dy)]) {
            return false;
        }
        let (patch, count) = self.unfolded();
        let filters = self.w.dims[0];
        let (mut sum, mut one) = (vec![0f32; filters * patch], vec![0f32; filters * patch]);
        for n in 0..self.x.dims[0] {
            let patches = self.patches(x, n);
            let dy = unsafe { self.list(&self.y, dy, Some(n)) };
            product(
                Matrix::of_rows(&dy, filters, count),
                Matrix::of_rows(&patches, patch, count).turned(),
                &mut one,
            );
            sum.iter_mut().zip(&one).for_each(|(sum, one)| *sum += one);
        }
        unsafe { self.put(&self.w, dw, None, &sum) };
        true
    }
}

/// Where a tensor's elements are, in the order of its dims.
fn places(tensor: &Tensor4, n: Option<usize>) -> impl Iterator<Item = usize> {
    let [all, c, h, w] = tensor.dims;
    let [next_n, next_c, next_h, next_w] = tensor.strides;
    let images = n.map_or(0..all, |n| n..n + 1);
    images.flat_map(move |n| {
        (0..c * h * w).map(move |at| {
            n * next_n + at / (h * w) * next_c + at / w % h * next_h + at % w * next_w
        })
    })
}

/// Rounded to 10 bits of fraction.
fn tf32(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits((bits + 0xfff + (bits >> 13 & 1)) & !0x1fff)
}
