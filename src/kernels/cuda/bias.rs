//! Biases: added to maps and to rows in place, and their gradients.

use super::float::{Float, NONE, device, grid, int, kernel, loops, tensor, view};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, CudaStorage, Layout, Result, Shape, Storage, Tensor, bail};

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

/// Rows `y [n, o]`, contiguous and all of their storage, with `bias [o]` added to each in place.
///
/// # Errors
/// As [`add`].
pub fn added_to_rows(
    mut y: CudaStorage,
    o: usize,
    (bias, layout): (&CudaStorage, &Layout),
) -> Result<CudaStorage> {
    let dev = device(&y).clone();
    let bias = view::<f32>(bias, layout)?;
    let rows = y.as_cuda_slice_mut::<f32>()?;
    add(rows, (&bias, None), (o, 1), After::Nothing, &dev)?;
    Ok(y)
}

/// The sum `[o]` of the rows of dy `[n, o]` f32, contiguous.
///
/// # Errors
/// Those of the device.
pub fn row_sums(dy: &Tensor) -> Result<Tensor> {
    let (n, o) = dy.dims2()?;
    let maps = dy.reshape((n, o, 1, 1))?;
    let (storage, layout) = maps.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else {
        bail!("a GPU's sum was given a tensor elsewhere")
    };
    sums::<f32>((storage, layout), &o.into())
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
