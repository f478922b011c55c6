//! How this process gets memory: large buffers begin at a cache line, and are kept instead of being returned to the kernel
//! after every use.

use std::alloc::{GlobalAlloc, Layout, System};

/// Keeps the pages of freed buffers for the next ones, for the whole process; call it once, before the first tensor.
///
/// Candle frees every intermediate tensor, and by default glibc maps each large one anew, so half of a training step is
/// page faults. With other C libraries this does nothing.
pub fn keep_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: `mallopt` only sets parameters of the allocator.
        unsafe {
            // One arena for all threads, no mapping of a single buffer, and freed pages never go back to the system.
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
            libc::mallopt(libc::M_TOP_PAD, TOP_PAD);
        }
    }
}

/// Bytes that the heap grows by at a time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TOP_PAD: libc::c_int = 64 << 20;

/// Bytes of a cache line, and of an AVX-512 vector.
const LINE: usize = 64;
/// Bytes from which on a buffer begins at a line.
const LARGE: usize = 4096;

/// The system's allocator, but for large buffers, which begin at a cache line.
///
/// glibc's begin sixteen bytes behind one, so that every vector of sixteen floats that a kernel reads or writes would lie
/// across two lines; and what is freed by its own aligned allocation may not fit the next buffer of that size.
pub struct LineAligned;

// SAFETY: every pointer comes from `System` with a layout that is found again from its size; those of large buffers are
// moved on to a line within their block, with the way back stored in front.
unsafe impl GlobalAlloc for LineAligned {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for the layout.
        unsafe {
            match block(layout) {
                Block::Plain => System.alloc(layout),
                Block::Moved(block) => moved(System.alloc(block)),
                Block::TooLarge => std::ptr::null_mut(),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above; what is stored lies in front of the buffer.
        unsafe {
            match block(layout) {
                Block::Plain => System.alloc_zeroed(layout),
                Block::Moved(block) => moved(System.alloc_zeroed(block)),
                Block::TooLarge => std::ptr::null_mut(),
            }
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the pointer was made with the same layout.
        unsafe {
            match block(layout) {
                Block::Moved(block) => System.dealloc(ptr.sub(way_back(ptr)), block),
                Block::Plain | Block::TooLarge => System.dealloc(ptr, layout),
            }
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the pointer was made with `layout`; what is copied lies within both buffers.
        unsafe {
            match (block(layout), block(wanted)) {
                (Block::Plain, Block::Plain) => System.realloc(ptr, layout, size),
                (Block::Moved(old), Block::Moved(new)) => {
                    let way = way_back(ptr);
                    let start = System.realloc(ptr.sub(way), old, new.size());
                    if start.is_null() {
                        return start;
                    }
                    // The block may now begin elsewhere beside a line.
                    if to_line(start) != way {
                        let kept = layout.size().min(size);
                        std::ptr::copy(start.add(way), start.add(to_line(start)), kept);
                    }
                    moved(start)
                }
                _ => {
                    let new = self.alloc(wanted);
                    if !new.is_null() {
                        std::ptr::copy_nonoverlapping(ptr, new, layout.size().min(size));
                        self.dealloc(ptr, layout);
                    }
                    new
                }
            }
        }
    }
}

/// What is asked of the system for a buffer.
enum Block {
    /// The buffer itself.
    Plain,
    /// A block with room to move the buffer on to a line.
    Moved(Layout),
    TooLarge,
}

fn block(layout: Layout) -> Block {
    if layout.size() < LARGE || layout.align() >= LINE {
        return Block::Plain;
    }
    // The system's own alignment of sixteen bytes leaves at least as many in front, for the way back.
    match Layout::from_size_align(layout.size().saturating_add(LINE), 16) {
        Ok(block) => Block::Moved(block),
        Err(_) => Block::TooLarge,
    }
}

/// Bytes from the start of a block to the next line behind it: 16 to 64.
fn to_line(start: *mut u8) -> usize {
    LINE - start.addr() % LINE
}

/// The buffer in a block, null where there is none.
///
/// # Safety
/// The block is one of [`Block::Moved`].
unsafe fn moved(start: *mut u8) -> *mut u8 {
    if start.is_null() {
        return start;
    }
    let way = to_line(start);
    // SAFETY: the block has a line more than the buffer, and at least sixteen bytes of it lie in front.
    unsafe {
        let buffer = start.add(way);
        (buffer as *mut usize).sub(1).write(way);
        buffer
    }
}

/// Bytes from the start of the block to this buffer.
///
/// # Safety
/// The buffer is one that [`moved`] made.
unsafe fn way_back(buffer: *mut u8) -> usize {
    // SAFETY: `moved` wrote it there.
    unsafe { (buffer as *const usize).sub(1).read() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer of `LineAligned`, with byte i holding i modulo 251.
    struct Buffer {
        ptr: *mut u8,
        layout: Layout,
    }

    impl Buffer {
        fn new(size: usize, align: usize) -> Buffer {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: the size is not zero, and so many bytes are written.
            unsafe {
                let ptr = LineAligned.alloc(layout);
                for i in 0..size {
                    ptr.add(i).write((i % 251) as u8);
                }
                Buffer { ptr, layout }
            }
        }

        fn resize(&mut self, size: usize) {
            let kept = size.min(self.layout.size());
            let layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            // SAFETY: the buffer has that layout, and the size is not zero.
            self.ptr = unsafe { LineAligned.realloc(self.ptr, self.layout, size) };
            self.layout = layout;
            self.check(kept);
            for i in kept..size {
                // SAFETY: within the buffer.
                unsafe { self.ptr.add(i).write((i % 251) as u8) };
            }
        }

        fn check(&self, filled: usize) {
            let line = self.layout.size() >= LARGE;
            let align = if line { LINE } else { self.layout.align() };
            assert_eq!(self.ptr.addr() % align, 0, "{:?}", self.layout);
            // SAFETY: so many bytes were written.
            let bytes = unsafe { std::slice::from_raw_parts(self.ptr, filled) };
            assert!(bytes.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            // SAFETY: the buffer has that layout.
            unsafe { LineAligned.dealloc(self.ptr, self.layout) };
        }
    }

    #[test]
    fn large_buffers_begin_at_a_line_and_keep_their_bytes_at_any_size() {
        let sizes = [
            1, 100, 4095, 4096, 4097, 5000, 100_000, 9_000_000, 4096, 17, 70_001,
        ];
        let mut all = Vec::new();
        for align in [1, 4, 8, 16, 32, 64, 256] {
            let mut buffer = Buffer::new(33, align);
            for (i, size) in sizes.into_iter().enumerate() {
                buffer.resize(size);
                // Others between, so that a block is not always extended in place.
                all.push(Buffer::new(4000 + 37 * i, align));
            }
        }
        for buffer in &all {
            buffer.check(buffer.layout.size());
        }
    }

    #[test]
    fn zeroed_buffers_are_zero_and_impossible_ones_null() {
        for size in [10, 4096, 300_001] {
            let layout = Layout::from_size_align(size, 4).unwrap();
            // SAFETY: the size is not zero, and the buffer is freed with its layout.
            unsafe {
                let ptr = LineAligned.alloc_zeroed(layout);
                let bytes = std::slice::from_raw_parts(ptr, size);
                assert!(bytes.iter().all(|b| *b == 0));
                LineAligned.dealloc(ptr, layout);
            }
        }
        let huge = Layout::from_size_align(isize::MAX as usize - 7, 8).unwrap();
        // SAFETY: the size is not zero; nothing is written.
        unsafe {
            assert!(LineAligned.alloc(huge).is_null());
            assert!(LineAligned.alloc_zeroed(huge).is_null());
        }
    }
}
