//! cuRAND: candle makes a generator for each device; nothing here draws from it.

use crate::driver::give;
use std::ffi::{c_int, c_ulonglong, c_void};

type Handle = *mut c_void;
const SOMETHING: usize = 0x30;

#[unsafe(no_mangle)]
unsafe extern "C" fn curandCreateGenerator(generator: *mut Handle, _: c_int) -> c_int {
    unsafe { give(generator, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn curandDestroyGenerator(_: Handle) -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn curandSetStream(_: Handle, _: Handle) -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn curandSetPseudoRandomGeneratorSeed(_: Handle, _: c_ulonglong) -> c_int {
    0
}
