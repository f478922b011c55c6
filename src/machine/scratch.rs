//! Memory for kernels: aligned scratch that threads keep, buffers that are not zeroed first, pointers that tasks share.

use std::cell::RefCell;

/// A cache line of sixteen floats: buffers made of these are 64-byte aligned.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [f32; 16]);

pub const ZERO: Line = Line([0.0; 16]);

/// A raw pointer that tasks may share, because they write disjoint parts.
#[derive(Clone, Copy)]
pub struct Ptr(*mut f32);

// SAFETY: whoever makes a `Ptr` promises that the tasks write disjoint parts of what it points at.
unsafe impl Send for Ptr {}
// SAFETY: as above.
unsafe impl Sync for Ptr {}

impl Ptr {
    pub fn new(p: *mut f32) -> Ptr {
        Ptr(p)
    }

    /// # Safety
    /// `i` must lie within the buffer that the pointer was made from.
    pub unsafe fn at(self, i: usize) -> *mut f32 {
        unsafe { self.0.add(i) }
    }

    /// # Safety
    /// `i..i + n` must lie within the buffer and belong to the calling task alone.
    pub unsafe fn part<'a>(self, i: usize, n: usize) -> &'a mut [f32] {
        unsafe { std::slice::from_raw_parts_mut(self.0.add(i), n) }
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Scratch of at least `floats` floats with any content, kept by the thread between calls (first-touch
/// page faults cost as much as a small convolution). A stack, so a nested call gets a buffer of its own.
pub fn with_scratch<R>(floats: usize, f: impl FnOnce(*mut f32) -> R) -> R {
    let mut buffer = SCRATCH.with(|s| s.borrow_mut().pop()).unwrap_or_default();
    if buffer.len() * 16 < floats {
        buffer = vec![ZERO; floats.div_ceil(16)];
    }
    let result = f(buffer.as_mut_ptr() as *mut f32);
    SCRATCH.with(|s| s.borrow_mut().push(buffer));
    result
}

/// A buffer that the caller fills completely before anyone reads it: not zeroed first.
#[allow(clippy::uninit_vec)]
pub fn unfilled(n: usize) -> Vec<f32> {
    let mut buffer = Vec::with_capacity(n);
    // SAFETY: the capacity is `n`, every bit pattern is an f32, and every caller writes all elements.
    unsafe { buffer.set_len(n) };
    buffer
}
