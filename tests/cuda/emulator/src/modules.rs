//! The driver's modules and launches.

use crate::driver::{Handle, INVALID_PTX, INVALID_VALUE, NOT_FOUND, OK, Status, give};
use crate::kernels::{Function, Module};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleLoadData(module: *mut Handle, image: *const c_void) -> Status {
    let text = unsafe { CStr::from_ptr(image.cast()) }.to_string_lossy();
    match Module::of(&text) {
        // Modules stay: their functions may be called as long as the process lives.
        Ok(made) => unsafe { give(module, Box::into_raw(Box::new(made)).cast()) },
        Err(why) => {
            eprintln!("cuda emulator: {why}");
            INVALID_PTX
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleUnload(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleGetFunction(
    function: *mut Handle,
    module: Handle,
    name: *const c_char,
) -> Status {
    let (module, name) = unsafe { (&*module.cast::<Module>(), CStr::from_ptr(name)) };
    match module.function(&name.to_string_lossy()) {
        Some(found) => unsafe { give(function, std::ptr::from_ref(found).cast_mut().cast()) },
        None => NOT_FOUND,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLaunchKernel(
    function: Handle,
    gx: c_uint,
    gy: c_uint,
    gz: c_uint,
    bx: c_uint,
    by: c_uint,
    bz: c_uint,
    shared: c_uint,
    _: Handle,
    arguments: *mut *mut c_void,
    _: *mut *mut c_void,
) -> Status {
    let [grid, block] = [[gx, gy, gz], [bx, by, bz]];
    let threads: u64 = block.iter().map(|&n| u64::from(n)).product();
    if grid.contains(&0) || threads == 0 || threads > 1024 || gy.max(gz) > 65_535 {
        eprintln!("cuda emulator: no GPU launches {grid:?} blocks of {block:?} threads");
        return INVALID_VALUE;
    }
    if shared > 0 {
        eprintln!("cuda emulator: memory that a launch shares out is not here yet");
        return INVALID_VALUE;
    }
    let function = unsafe { &*function.cast::<Function>() };
    unsafe { function.launch(grid, block, arguments) };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncSetAttribute(_: Handle, _: c_int, _: c_int) -> Status {
    OK
}
