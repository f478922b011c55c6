//! How this process gets memory: large buffers are kept instead of being returned to the kernel after every use.

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
