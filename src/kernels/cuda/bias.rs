//! Biases: added to maps and to rows in place, and their gradients.

use super::float::{Float, NONE, device, grid, int, kernel, loops, tensor, view};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, InplaceOp2, Layout, Result, Shape, Tensor, bail,
};

/// What is done with a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Nothing,
    /// What is negative becomes 0.
    Relu,
}

/// Adds `bias [channels]` to the channels of `y [.., channels, plane]`, and `more` of the sizes of `y` where there is one.
///
/// # Errors
/// Those of the device, and a bias or more of other lengths.
pub fn add<T: Float>(
    y: &mut CudaSlice<T>,
    (bias, more): (&CudaView<T>, Option<&CudaView<T>>),
    (channels, plane): (usize, usize),
    after: After,
    dev: &CudaDevice,
) -> Result<()> {
    if bias.len() != channels || more.is_some_and(|more| more.len() != y.len()) {
        bail!(
            "a bias of {} for {channels} channels, or more than the {} values",
            bias.len(),
            y.len()
        );
    }
    let count = y.len();
    let (of, size, total) = (int(channels)?, int(plane)?, int(count)?);
    let relu = i32::from(after == After::Relu);
    let (function, stream) = (kernel::<T>(dev, "add_bias")?, dev.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(y).arg(bias);
    match more {
        Some(more) => call.arg(more),
        None => call.arg(&NONE),
    };
    call.arg(&size).arg(&of);
    call.arg(&total).arg(&relu);
    // SAFETY: the arguments are those of `add_bias`, and the sizes are the tensors'.
    unsafe { call.launch(loops(count)?)? };
    Ok(())
}

/// Adds `bias [o]` to each row of `y [n, o]`, which is part of no graph and in nobody else's hands.
///
/// # Errors
/// As [`add`].
pub fn add_to_rows(y: &Tensor, bias: &Tensor) -> Result<()> {
    y.inplace_op2(&bias.contiguous()?, &ToRows)
}

struct ToRows;

impl InplaceOp2 for ToRows {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("the GPU's bias was given a tensor on the CPU")
    }

    fn cuda_fwd(
        &self,
        y: &mut CudaStorage,
        l1: &Layout,
        bias: &CudaStorage,
        l2: &Layout,
    ) -> Result<()> {
        let (_, width) = l1.shape().dims2()?;
        let dev = device(y).clone();
        let (true, Some((0, end))) = (width > 0, l1.contiguous_offsets()) else {
            bail!("rows of {:?} are not contiguous", l1.shape())
        };
        let (y, bias) = (y.as_cuda_slice_mut::<f32>()?, view::<f32>(bias, l2)?);
        if y.len() != end {
            bail!("rows of {:?} are a part of a tensor", l1.shape());
        }
        add(y, (&bias, None), (width, 1), After::Nothing, &dev)
    }
}

/// A bias's gradient `[c]`: dy `[n, c, h, w]` summed over images and pixels, a block of threads for each channel.
///
/// # Errors
/// Those of the device.
pub fn sums<T: Float>((s, l): (&CudaStorage, &Layout), shape: &Shape) -> Result<Tensor> {
    let (dev, (n, channels, h, w)) = (device(s), l.shape().dims4()?);
    let dy: CudaView<T> = view(s, l)?;
    // SAFETY: the kernel writes every element.
    let mut db = unsafe { dev.alloc::<T>(channels.max(1))? };
    let (n, plane, c) = (int(n)?, int(h * w)?, int(channels)?);
    int(dy.len())?;
    let (function, stream) = (kernel::<T>(dev, "bias_grad")?, dev.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(&dy).arg(&mut db).arg(&n).arg(&c).arg(&plane);
    // SAFETY: the arguments are those of `bias_grad`, and the sizes are the tensor's.
    unsafe { call.launch(grid(channels, 512)?)? };
    Ok(tensor(db, shape, dev))
}
