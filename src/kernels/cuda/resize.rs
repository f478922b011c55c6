//! Bytes to Inception's input on the card: a quarter of what f32 would take travels to it, or less.

use super::float::{int, kernel, loops, tensor};
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::{Device, Result, Shape, Tensor, bail};

/// A bilinear rule without antialias, with what it makes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// TensorFlow 1's, then (x - 128) / 128.
    Tensorflow,
    /// PyTorch's on bytes / 255, then 2 x - 1.
    Pytorch,
    /// PyTorch's on bytes, clipped, then x / 255 * 2 - 1.
    PytorchBytes,
}

/// Pixels `[n, h, w, 3]` → `[n, 3, side, side]` f32 of -1..1 on the GPU, the bits of `data::resize::bilinear`.
///
/// # Errors
/// Those of the device, a device that is no GPU, and pixels of other sizes.
pub fn resize(
    pixels: &[u8],
    (h, w): (usize, usize),
    rule: Rule,
    side: usize,
    device: &Device,
) -> Result<Tensor> {
    let Device::Cuda(device) = device else {
        bail!("resizing of the GPU was asked on {:?}", device.location())
    };
    let each = 3 * h * w;
    if each == 0 || side == 0 || pixels.is_empty() || !pixels.len().is_multiple_of(each) {
        bail!("{} bytes are no images of {w} by {h}", pixels.len());
    }
    let shape = Shape::from((pixels.len() / each, 3, side, side));
    // The kernel counts values in 32 bits.
    let (rows, columns, target, count) = (int(h)?, int(w)?, int(side)?, int(shape.elem_count())?);
    let x = device.clone_htod(pixels)?;
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { device.alloc::<f32>(shape.elem_count())? };
    let name = match rule {
        Rule::Tensorflow => "resize_tensorflow",
        Rule::Pytorch | Rule::PytorchBytes => "resize_pytorch",
    };
    let bytes = i32::from(rule == Rule::PytorchBytes);
    let (function, stream) = (kernel::<f32>(device, name)?, device.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(&x).arg(&mut y).arg(&rows).arg(&columns);
    call.arg(&target);
    if rule != Rule::Tensorflow {
        call.arg(&bytes);
    }
    call.arg(&count);
    // SAFETY: the arguments are those of the kernel, and the sizes are the tensors'.
    unsafe { call.launch(loops(shape.elem_count())?)? };
    Ok(tensor(y, &shape, device))
}
