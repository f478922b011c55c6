//! The GPU's side of the kernels that candle has no one operation for: CUDA sources, compiled when a device is first used.
//! They are here without the feature `cuda` too, so that a C++ compiler can run them on a CPU, in tests.

/// Kernels for each type of float.
const OF_EACH_FLOAT: &str = concat!(
    include_str!("float.cu"),
    include_str!("norm.cu"),
    include_str!("softmax.cu"),
    include_str!("attention.cu"),
    include_str!("bias.cu"),
    include_str!("planes.cu"),
    include_str!("channels_last.cu"),
);
/// Kernels for f32 alone.
const OF_F32: &str = concat!(
    include_str!("affine.cu"),
    include_str!("adamw.cu"),
    include_str!("noise.cu"),
    include_str!("resize.cu"),
);

/// All kernels, in one translation unit.
pub fn source() -> String {
    [OF_EACH_FLOAT, OF_F32].concat()
}

/// Those for one type of float, `f32`, `f16` or `bf16`: a program compiles those of the types that it uses.
pub fn source_of(float: &str) -> String {
    let only = format!("#define ONLY_{float}\n");
    let more = if float == "f32" { OF_F32 } else { "" };
    [&only, OF_EACH_FLOAT, more].concat()
}
