//! Gaussian noise drawn on the card: no values travel to it, and nobody waits for the CPU.

use super::float::{int, kernel, loops, tensor};
use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
use candle_core::{CudaDevice, Device, Result, Shape, Tensor, bail};

/// Values that one block of ChaCha gives.
const BLOCK: usize = 8;

/// Where a family of streams of ChaCha8 begins to be read.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// The key's eight words, two at a time, the low one first.
    pub key: [u64; 4],
    /// The first block that is read of each stream.
    pub counter: u64,
    /// The number of the first stream.
    pub first: u64,
}

/// `n` streams one after the other, `each` values of N(0, 1) of every one → `[n, each]` f32 on the GPU.
///
/// By the operations of the CPU; the card's `log` and `sincos` may differ from its in the last bit of an f64, which shows in
/// the last bit of about one f32 in 10^8.
///
/// # Errors
/// Those of the device, and a device that is no GPU.
pub fn normal(streams: Streams, (n, each): (usize, usize), device: &Device) -> Result<Tensor> {
    let Device::Cuda(device) = device else {
        bail!("noise of the GPU was asked on {:?}", device.location())
    };
    draw(streams, (n, each), device)
}

fn draw(streams: Streams, (n, each): (usize, usize), device: &CudaDevice) -> Result<Tensor> {
    let shape = Shape::from((n, each));
    let blocks = each.div_ceil(BLOCK);
    // The kernel counts values and blocks in 32 bits.
    let (row, of_row, count, _) = (
        int(each)?,
        int(blocks)?,
        int(n * blocks)?,
        int(shape.elem_count())?,
    );
    // SAFETY: the kernel writes every element.
    let mut out = unsafe { device.alloc::<f32>(shape.elem_count().max(1))? };
    if shape.elem_count() > 0 {
        let (function, stream) = (kernel::<f32>(device, "normal")?, device.cuda_stream());
        let mut call = stream.launch_builder(&function);
        call.arg(&mut out);
        streams.key.iter().for_each(|word| {
            call.arg(word);
        });
        call.arg(&streams.counter).arg(&streams.first);
        call.arg(&row).arg(&of_row).arg(&count);
        // SAFETY: the arguments are those of `normal`, and the sizes are the tensor's.
        unsafe { call.launch(loops(n * blocks)?)? };
    }
    Ok(tensor(out, &shape, device))
}
