//! What a precision of the experiment file means to a net.

use crate::experiment::file::experiment::Precision;
use crate::kernels::tf32::Products;
use candle_core::DType;

/// The type that a net's blocks are asked to calculate in.
pub fn dtype(precision: Precision) -> DType {
    match precision {
        Precision::F32 | Precision::Tf32 => DType::F32,
        Precision::Bf16 => DType::BF16,
        Precision::F16 => DType::F16,
    }
}

/// How its convolutions may multiply f32 on a GPU.
pub fn products(precision: Precision) -> Products {
    match precision {
        Precision::Tf32 => Products::Tf32,
        Precision::F32 | Precision::Bf16 | Precision::F16 => Products::F32,
    }
}
