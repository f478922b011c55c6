//! The driver: one device, and streams and events that are done at once.

use crate::counts::count;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

pub type Status = c_int;
pub const OK: Status = 0;
pub const INVALID_VALUE: Status = 1;
pub const OUT_OF_MEMORY: Status = 2;
pub const INVALID_DEVICE: Status = 101;
pub const INVALID_PTX: Status = 218;
pub const NOT_FOUND: Status = 500;

pub type Handle = *mut c_void;

/// What a context, stream, event or pool is known by: nothing is behind it.
const SOMETHING: usize = 0x10;
/// Gives `value` through `to`.
///
/// # Safety
/// `to` is valid for a write.
pub unsafe fn give<T>(to: *mut T, value: T) -> Status {
    unsafe { to.write(value) };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuInit(_: c_uint) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> Status {
    unsafe { give(count, 1) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> Status {
    match ordinal {
        0 => unsafe { give(device, 0) },
        _ => INVALID_DEVICE,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, what: c_int, _: c_int) -> Status {
    const MULTIPROCESSORS: c_int = 16;
    const MAJOR: c_int = 75;
    const MEMORY_POOLS: c_int = 115;
    unsafe {
        give(
            value,
            match what {
                MULTIPROCESSORS => 4,
                MAJOR => 9,
                MEMORY_POOLS => 1,
                _ => 0,
            },
        )
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, room: c_int, _: c_int) -> Status {
    let text = c"an emulated GPU".to_bytes_with_nul();
    if (room as usize) < text.len() {
        return INVALID_VALUE;
    }
    unsafe { name.copy_from_nonoverlapping(text.as_ptr().cast(), text.len()) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, _: c_int) -> Status {
    unsafe { give(context, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(_: c_int) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuCtxGetCurrent(context: *mut Handle) -> Status {
    unsafe { give(context, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxDestroy_v2(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSynchronize() -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetDefaultMemPool(pool: *mut Handle, _: c_int) -> Status {
    unsafe { give(pool, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolSetAttribute(_: Handle, _: c_int, _: *mut c_void) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamCreate(stream: *mut Handle, _: c_uint) -> Status {
    unsafe { give(stream, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamDestroy_v2(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamSynchronize(_: Handle) -> Status {
    count("waits for a stream");
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamWaitEvent(_: Handle, _: Handle, _: c_uint) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamIsCapturing(_: Handle, status: *mut c_int) -> Status {
    unsafe { give(status, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventCreate(event: *mut Handle, _: c_uint) -> Status {
    unsafe { give(event, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn cuEventRecord(_: Handle, _: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuEventQuery(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuEventSynchronize(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuEventDestroy_v2(_: Handle) -> Status {
    OK
}

fn name(status: Status) -> &'static CStr {
    match status {
        OK => c"no error",
        INVALID_VALUE => c"invalid argument",
        OUT_OF_MEMORY => c"out of memory",
        INVALID_DEVICE => c"no such device",
        INVALID_PTX => c"a module that does not compile",
        NOT_FOUND => c"no such kernel",
        _ => c"unknown error",
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorName(status: Status, text: *mut *const c_char) -> Status {
    unsafe { give(text, name(status).as_ptr()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(status: Status, text: *mut *const c_char) -> Status {
    unsafe { give(text, name(status).as_ptr()) }
}
