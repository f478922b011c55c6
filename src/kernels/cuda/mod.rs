//! The same operations on an NVIDIA GPU, with gradients: convolutions by cuDNN, and kernels of our own where candle has a
//! chain of operations. f32 is f32 (no TF32); halves are read and written as halves, and every sum is in f32.
//!
//! Nothing here depends on the order in which threads finish: the same inputs give the same bits in every run on the same
//! card, gradients included.

pub mod adamw;
pub mod attention;
pub mod bias;
pub mod channels_last;
pub mod conv;
mod cudnn;
mod float;
pub mod noise;
pub mod norm;
pub mod planes;
pub mod resize;
pub mod softmax;

use candle_core::{DType, Tensor};

/// Whether these kernels take the tensors: floats of at most 32 bits on a GPU, all of one type.
pub fn takes(tensors: &[&Tensor]) -> bool {
    let float = |t: &Tensor| matches!(t.dtype(), DType::F32 | DType::F16 | DType::BF16);
    let first = tensors.first().map(|t| t.dtype());
    tensors
        .iter()
        .all(|t| t.device().is_cuda() && float(t) && Some(t.dtype()) == first)
}
