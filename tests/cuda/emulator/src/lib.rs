//! CUDA on a CPU, as far as this project calls it: the driver, NVRTC, cuBLAS, cuRAND and cuDNN as one library, against which a
//! build with the feature `cuda` links and runs where there is no GPU. `.ci/cuda emulate` runs the GPU's tests on it.
//!
//! It is for finding what is wrong, not for speed. Kernels are compiled by a C++ compiler, a block's threads run one after the
//! other, and a stream's work is done before a call returns. Buffers begin as NaNs, so that what is read before it is written
//! shows; copies, products and convolutions that reach beyond a buffer are refused, and so are algorithms whose sums have no
//! fixed order. Products and convolutions are sums in f32, rounded once.

#![allow(non_snake_case)]

mod blas;
mod counts;
mod dnn;
mod driver;
mod kernels;
mod memory;
mod modules;
mod rand;
mod rtc;
mod values;
