//! The GPU's side of the kernels that candle has no one operation for: CUDA sources, compiled when a device is first used.
//! They are here without the feature `cuda` too, so that a C++ compiler can run them on a CPU, in tests.

/// All kernels, in one translation unit.
pub const SOURCE: &str = concat!(
    include_str!("float.cu"),
    include_str!("norm.cu"),
    include_str!("softmax.cu"),
    include_str!("attention.cu"),
    include_str!("bias.cu"),
    include_str!("planes.cu"),
    include_str!("channels_last.cu"),
    include_str!("adamw.cu"),
    include_str!("noise.cu"),
    include_str!("resize.cu"),
);
