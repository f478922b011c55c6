//! NVRTC: a source stays one until the driver loads it.

use crate::driver::give;
use std::ffi::{CStr, CString, c_char, c_int, c_void};

type Program = *mut c_void;

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcCreateProgram(
    program: *mut Program,
    source: *const c_char,
    _: *const c_char,
    _: c_int,
    _: *const *const c_char,
    _: *const *const c_char,
) -> c_int {
    let text = unsafe { CStr::from_ptr(source) }.to_owned();
    unsafe { give(program, Box::into_raw(Box::new(text)).cast()) }
}

#[unsafe(no_mangle)]
extern "C" fn nvrtcCompileProgram(_: Program, _: c_int, _: *const *const c_char) -> c_int {
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcDestroyProgram(program: *mut Program) -> c_int {
    drop(unsafe { Box::from_raw((*program).cast::<CString>()) });
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetPTXSize(program: Program, size: *mut usize) -> c_int {
    let text = unsafe { &*program.cast::<CString>() };
    unsafe { give(size, text.as_bytes_with_nul().len()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetPTX(program: Program, to: *mut c_char) -> c_int {
    let text = unsafe { &*program.cast::<CString>() }.as_bytes_with_nul();
    unsafe { to.copy_from_nonoverlapping(text.as_ptr().cast(), text.len()) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetProgramLogSize(_: Program, size: *mut usize) -> c_int {
    unsafe { give(size, 1) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvrtcGetProgramLog(_: Program, to: *mut c_char) -> c_int {
    unsafe { give(to, 0) }
}
