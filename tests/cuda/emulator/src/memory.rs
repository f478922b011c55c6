//! The driver's memory: buffers of the heap, with the checks that a card does not make.

use crate::counts::count;
use crate::driver::{Handle, INVALID_VALUE, OK, OUT_OF_MEMORY, Status, give};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Mutex, PoisonError};

type Address = u64;

/// Buffers begin where a card's do.
const ALIGNMENT: usize = 256;
/// What a new buffer is full of: not a number in every type of float, and no small integer.
const UNWRITTEN: u8 = 0xff;
/// The memory that the device says it has.
const MEMORY: usize = 8 << 30;

/// The buffers that are allocated.
#[derive(Default)]
struct Buffers {
    /// sizes by address
    all: BTreeMap<Address, usize>,
    used: usize,
}

static BUFFERS: Mutex<Buffers> = Mutex::new(Buffers {
    all: BTreeMap::new(),
    used: 0,
});

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGNMENT).expect("a size")
}

fn buffers<R>(body: impl FnOnce(&mut Buffers) -> R) -> R {
    body(&mut BUFFERS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether `bytes` bytes from `address` on are in one buffer, which kernels do not ask but the libraries and copies do.
pub fn holds(address: *const c_void, bytes: usize) -> bool {
    let address = address as Address;
    bytes == 0
        || buffers(|heap| {
            let before = heap.all.range(..=address).next_back();
            before
                .is_some_and(|(start, room)| address + bytes as Address <= start + *room as Address)
        })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _: c_int) -> Status {
    unsafe { give(bytes, MEMORY) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Status {
    let used = buffers(|heap| heap.used);
    unsafe {
        give(free, MEMORY.saturating_sub(used));
        give(total, MEMORY)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAlloc_v2(to: *mut Address, size: usize) -> Status {
    if size == 0 {
        return INVALID_VALUE;
    }
    count("allocations");
    if buffers(|heap| heap.used) + size > MEMORY {
        return OUT_OF_MEMORY;
    }
    // SAFETY: the size is not zero.
    let buffer = unsafe { alloc(layout(size)) };
    if buffer.is_null() {
        return OUT_OF_MEMORY;
    }
    unsafe { buffer.write_bytes(UNWRITTEN, size) };
    buffers(|heap| {
        heap.all.insert(buffer as Address, size);
        heap.used += size;
    });
    unsafe { give(to, buffer as Address) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAllocAsync(to: *mut Address, size: usize, _: Handle) -> Status {
    unsafe { cuMemAlloc_v2(to, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFree_v2(address: Address) -> Status {
    let freed = buffers(|heap| {
        let size = heap.all.remove(&address)?;
        heap.used -= size;
        Some(size)
    });
    let Some(size) = freed else {
        return INVALID_VALUE;
    };
    // SAFETY: it was allocated with this layout, and is forgotten.
    unsafe { dealloc(address as *mut u8, layout(size)) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFreeAsync(address: Address, _: Handle) -> Status {
    unsafe { cuMemFree_v2(address) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemHostAlloc(to: *mut Handle, size: usize, _: c_uint) -> Status {
    let mut address = 0;
    let status = unsafe { cuMemAlloc_v2(&raw mut address, size) };
    unsafe { to.write(address as Handle) };
    status
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFreeHost(at: Handle) -> Status {
    unsafe { cuMemFree_v2(at as Address) }
}

/// # Safety
/// What is not of the device is valid for the copy; what is, is checked.
unsafe fn copy(to: Address, from: Address, size: usize, ours: &[Address]) -> Status {
    if !ours
        .iter()
        .all(|&address| holds(address as *const c_void, size))
    {
        eprintln!("cuda emulator: a copy of {size} bytes goes beyond a buffer");
        return INVALID_VALUE;
    }
    unsafe { (from as *const u8).copy_to(to as *mut u8, size) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: Address,
    from: *const c_void,
    size: usize,
    _: Handle,
) -> Status {
    count("copies to the device");
    unsafe { copy(to, from as Address, size, &[to]) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: Address,
    size: usize,
    _: Handle,
) -> Status {
    count("copies from the device");
    unsafe { copy(to as Address, from, size, &[from]) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoDAsync_v2(
    to: Address,
    from: Address,
    size: usize,
    _: Handle,
) -> Status {
    count("copies within the device");
    unsafe { copy(to, from, size, &[to, from]) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyPeerAsync(
    to: Address,
    _: Handle,
    from: Address,
    _: Handle,
    size: usize,
    _: Handle,
) -> Status {
    unsafe { copy(to, from, size, &[to, from]) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemsetD8Async(to: Address, byte: u8, size: usize, _: Handle) -> Status {
    if !holds(to as *const c_void, size) {
        return INVALID_VALUE;
    }
    unsafe { (to as *mut u8).write_bytes(byte, size) };
    OK
}
