//! Algorithms and launches.

use crate::counts::count;
use crate::dnn::convolution::Sizes;
use crate::dnn::described::{BAD_PARAM, Convolution, Handle, NOT_SUPPORTED, OK, Status, Tensor4};
use crate::driver::give;
use std::ffi::{c_int, c_void};

/// An algorithm that is offered.
#[repr(C)]
pub struct Offer {
    algorithm: c_int,
    status: Status,
    time: f32,
    memory: usize,
    determinism: c_int,
    math: c_int,
    reserved: [c_int; 3],
}

/// What every algorithm asks to work in.
const WORKSPACE: usize = 512;
const FORWARD: c_int = 1;
/// Of both gradients: sums by atomic additions, in no fixed order. It is offered, and a launch of it is refused.
const UNORDERED: c_int = 0;
const ORDERED: c_int = 1;

unsafe fn offer(algorithm: c_int, asked: c_int, count: *mut c_int, to: *mut Offer) -> Status {
    if asked < 1 {
        return BAD_PARAM;
    }
    let offer = Offer {
        algorithm,
        status: OK,
        time: 1.0,
        memory: WORKSPACE,
        determinism: c_int::from(algorithm != UNORDERED),
        math: 0,
        reserved: [0; 3],
    };
    unsafe {
        give(count, 1);
        give(to, offer)
    }
}

/// # Safety
/// The descriptors are those of tensors and of a convolution.
unsafe fn sizes(x: Handle, w: Handle, y: Handle, how: Handle) -> Option<Sizes> {
    let [x, w, y] = [x, w, y].map(|t| unsafe { *t.cast::<Tensor4>() });
    let sizes = Sizes::of(x, w, y, unsafe { *how.cast::<Convolution>() });
    if sizes.is_none() {
        eprintln!("cuda emulator: {x:?} * {w:?} is not {y:?}");
    }
    sizes
}

/// Whether alpha is 1, beta 0 and the workspace large enough.
unsafe fn plain(alpha: *const c_void, beta: *const c_void, workspace: usize) -> bool {
    let scales = unsafe { (alpha.cast::<f32>().read(), beta.cast::<f32>().read()) };
    scales == (1.0, 0.0) && workspace >= WORKSPACE
}

fn done(whole: bool) -> Status {
    if whole {
        return OK;
    }
    eprintln!("cuda emulator: a convolution goes beyond a buffer");
    BAD_PARAM
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnGetConvolutionForwardAlgorithm_v7(
    _: Handle,
    x: Handle,
    w: Handle,
    how: Handle,
    y: Handle,
    asked: c_int,
    count: *mut c_int,
    to: *mut Offer,
) -> Status {
    match unsafe { sizes(x, w, y, how) } {
        Some(_) => unsafe { offer(FORWARD, asked, count, to) },
        None => BAD_PARAM,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnGetConvolutionBackwardDataAlgorithm_v7(
    _: Handle,
    w: Handle,
    dy: Handle,
    how: Handle,
    dx: Handle,
    asked: c_int,
    count: *mut c_int,
    to: *mut Offer,
) -> Status {
    match unsafe { sizes(dx, w, dy, how) } {
        Some(_) => unsafe { offer(UNORDERED, asked, count, to) },
        None => BAD_PARAM,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    _: Handle,
    x: Handle,
    dy: Handle,
    how: Handle,
    dw: Handle,
    asked: c_int,
    count: *mut c_int,
    to: *mut Offer,
) -> Status {
    match unsafe { sizes(x, dw, dy, how) } {
        Some(_) => unsafe { offer(UNORDERED, asked, count, to) },
        None => BAD_PARAM,
    }
}

/// All three ask the same.
macro_rules! workspace {
    ($($name:ident),*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            _: Handle,
            _: Handle,
            _: Handle,
            _: Handle,
            _: Handle,
            _: c_int,
            size: *mut usize,
        ) -> Status {
            unsafe { give(size, WORKSPACE) }
        }
    )*};
}
workspace!(
    cudnnGetConvolutionForwardWorkspaceSize,
    cudnnGetConvolutionBackwardDataWorkspaceSize,
    cudnnGetConvolutionBackwardFilterWorkspaceSize
);

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnConvolutionForward(
    _: Handle,
    alpha: *const c_void,
    xd: Handle,
    x: *const c_void,
    wd: Handle,
    w: *const c_void,
    how: Handle,
    algorithm: c_int,
    _: *mut c_void,
    workspace: usize,
    beta: *const c_void,
    yd: Handle,
    y: *mut c_void,
) -> Status {
    count("convolutions");
    unsafe {
        match sizes(xd, wd, yd, how) {
            Some(sizes) if plain(alpha, beta, workspace) && algorithm == FORWARD => {
                done(sizes.forward(x, w, y))
            }
            _ => NOT_SUPPORTED,
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnConvolutionBackwardData(
    _: Handle,
    alpha: *const c_void,
    wd: Handle,
    w: *const c_void,
    dyd: Handle,
    dy: *const c_void,
    how: Handle,
    algorithm: c_int,
    _: *mut c_void,
    workspace: usize,
    beta: *const c_void,
    dxd: Handle,
    dx: *mut c_void,
) -> Status {
    count("gradients of inputs of convolutions");
    unsafe {
        match sizes(dxd, wd, dyd, how) {
            Some(sizes) if plain(alpha, beta, workspace) && algorithm == ORDERED => {
                done(sizes.input_grad(w, dy, dx))
            }
            _ => NOT_SUPPORTED,
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnConvolutionBackwardFilter(
    _: Handle,
    alpha: *const c_void,
    xd: Handle,
    x: *const c_void,
    dyd: Handle,
    dy: *const c_void,
    how: Handle,
    algorithm: c_int,
    _: *mut c_void,
    workspace: usize,
    beta: *const c_void,
    dwd: Handle,
    dw: *mut c_void,
) -> Status {
    count("gradients of weights of convolutions");
    unsafe {
        match sizes(xd, dwd, dyd, how) {
            Some(sizes) if plain(alpha, beta, workspace) && algorithm == ORDERED => {
                done(sizes.filter_grad(x, dy, dw))
            }
            _ => NOT_SUPPORTED,
        }
    }
}
