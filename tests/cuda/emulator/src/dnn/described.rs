//! Descriptors of tensors, filters and convolutions.

use crate::driver::give;
use crate::values::Kind;
use std::ffi::{c_int, c_void};

pub type Status = c_int;
pub const OK: Status = 0;
pub const BAD_PARAM: Status = 2000;
pub const NOT_SUPPORTED: Status = 3000;
pub type Handle = *mut c_void;

const SOMETHING: usize = 0x40;
const NCHW: c_int = 0;
const NHWC: c_int = 1;
const CROSS_CORRELATION: c_int = 1;
/// Math: products in f32 by tensor cores where inputs are halves; of f32, inputs may be rounded to TF32 unless told otherwise.
const DEFAULT_MATH: c_int = 0;

/// Four sizes and how far the next element of each is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tensor4 {
    pub kind: Option<Kind>,
    pub dims: [usize; 4],
    pub strides: [usize; 4],
}

impl Tensor4 {
    /// The elements that it reaches over, gaps included.
    pub fn reach(&self) -> usize {
        let far = |(dim, stride): (&usize, &usize)| (dim - 1) * stride;
        1 + self.dims.iter().zip(&self.strides).map(far).sum::<usize>()
    }

    fn of(data_type: c_int, dims: [c_int; 4], strides: [c_int; 4]) -> Option<Tensor4> {
        let kind = match data_type {
            0 => Kind::F32,
            2 => Kind::F16,
            9 => Kind::Bf16,
            _ => return None,
        };
        if dims.iter().chain(&strides).any(|&d| d <= 0) {
            return None;
        }
        let [dims, strides] = [dims, strides].map(|all| all.map(|d| d as usize));
        Some(Tensor4 {
            kind: Some(kind),
            dims,
            strides,
        })
    }

    fn packed(data_type: c_int, format: c_int, dims: [c_int; 4]) -> Option<Tensor4> {
        let [_, c, h, w] = dims;
        let strides = match format {
            NCHW => [c * h * w, h * w, w, 1],
            NHWC => [c * h * w, 1, w * c, c],
            _ => return None,
        };
        Tensor4::of(data_type, dims, strides)
    }
}

/// What a convolution does with rows and columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Convolution {
    pub pad: [usize; 2],
    pub stride: [usize; 2],
    pub tf32: bool,
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnCreate(handle: *mut Handle) -> Status {
    unsafe { give(handle, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn cudnnDestroy(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetStream(_: Handle, _: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetVersion() -> usize {
    91_900
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetErrorString(_: Status) -> *const std::ffi::c_char {
    c"refused by the emulator".as_ptr()
}

/// Makes what a descriptor points to.
unsafe fn create<T: Default>(to: *mut Handle) -> Status {
    unsafe { give(to, Box::into_raw(Box::<T>::default()).cast()) }
}

/// # Safety
/// The descriptor was made for a `T`, and is not used again.
unsafe fn destroy<T>(descriptor: Handle) -> Status {
    drop(unsafe { Box::from_raw(descriptor.cast::<T>()) });
    OK
}

/// # Safety
/// The descriptor was made for a `T`.
unsafe fn set<T>(descriptor: Handle, value: Option<T>) -> Status {
    match value {
        Some(value) => unsafe { give(descriptor.cast::<T>(), value) },
        None => NOT_SUPPORTED,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnCreateTensorDescriptor(to: *mut Handle) -> Status {
    unsafe { create::<Tensor4>(to) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnDestroyTensorDescriptor(descriptor: Handle) -> Status {
    unsafe { destroy::<Tensor4>(descriptor) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnSetTensor4dDescriptor(
    descriptor: Handle,
    format: c_int,
    data_type: c_int,
    n: c_int,
    c: c_int,
    h: c_int,
    w: c_int,
) -> Status {
    unsafe { set(descriptor, Tensor4::packed(data_type, format, [n, c, h, w])) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnSetTensor4dDescriptorEx(
    descriptor: Handle,
    data_type: c_int,
    n: c_int,
    c: c_int,
    h: c_int,
    w: c_int,
    next_n: c_int,
    next_c: c_int,
    next_h: c_int,
    next_w: c_int,
) -> Status {
    let tensor = Tensor4::of(data_type, [n, c, h, w], [next_n, next_c, next_h, next_w]);
    unsafe { set(descriptor, tensor) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnCreateFilterDescriptor(to: *mut Handle) -> Status {
    unsafe { create::<Tensor4>(to) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnDestroyFilterDescriptor(descriptor: Handle) -> Status {
    unsafe { destroy::<Tensor4>(descriptor) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnSetFilter4dDescriptor(
    descriptor: Handle,
    data_type: c_int,
    format: c_int,
    k: c_int,
    c: c_int,
    h: c_int,
    w: c_int,
) -> Status {
    unsafe { set(descriptor, Tensor4::packed(data_type, format, [k, c, h, w])) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnCreateConvolutionDescriptor(to: *mut Handle) -> Status {
    unsafe { create::<Convolution>(to) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnDestroyConvolutionDescriptor(descriptor: Handle) -> Status {
    unsafe { destroy::<Convolution>(descriptor) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnSetConvolution2dDescriptor(
    descriptor: Handle,
    pad_h: c_int,
    pad_w: c_int,
    stride_h: c_int,
    stride_w: c_int,
    dilation_h: c_int,
    dilation_w: c_int,
    mode: c_int,
    compute: c_int,
) -> Status {
    let plain = mode == CROSS_CORRELATION && compute == 0 && [dilation_h, dilation_w] == [1, 1];
    if !plain || pad_h.min(pad_w) < 0 || stride_h.min(stride_w) < 1 {
        return NOT_SUPPORTED;
    }
    let convolution = Convolution {
        pad: [pad_h, pad_w].map(|v| v as usize),
        stride: [stride_h, stride_w].map(|v| v as usize),
        tf32: true,
    };
    unsafe { set(descriptor, Some(convolution)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cudnnSetConvolutionMathType(descriptor: Handle, math: c_int) -> Status {
    unsafe { (*descriptor.cast::<Convolution>()).tf32 = math == DEFAULT_MATH };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolutionGroupCount(_: Handle, groups: c_int) -> Status {
    if groups == 1 { OK } else { NOT_SUPPORTED }
}
