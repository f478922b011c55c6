//! AdamW's update and the EMA's of all tensors in one launch, with the rule of `stages::train::optimizer::update`.

use super::float::{grid, int, kernel};
use candle_core::cuda_backend::cudarc::driver::{DevicePtr, PushKernelArg};
use candle_core::{CudaDevice, Layout, Result, Storage, Tensor, bail};

/// 1 - beta1, beta2, 1 - beta2, the weights' decay, the rate, the second moment's correction, eps, and the EMA's step.
pub type Rates = [f32; 8];

/// What moves: the weights `[n]`, their state `[3, n]` (first moment, second moment, EMA), and the gradient `[n]`; all f32, on
/// one GPU and contiguous, and the first two in nobody else's hands.
pub type Moving<'a> = [&'a Tensor; 3];

/// Elements of a block.
const CHUNK: usize = 4096;
/// Threads of a block.
const THREADS: u32 = 256;

/// Moves the weights and the state of all.
///
/// # Errors
/// Those of the device, and sizes that do not fit.
pub fn step(all: &[Moving], rates: Rates) -> Result<()> {
    let Some([first, ..]) = all.first() else {
        return Ok(());
    };
    let device = first.device().as_cuda_device()?.clone();
    // As the kernel's `Moving`: three addresses, the number of weights, the first block.
    let mut table: Vec<u64> = Vec::with_capacity(5 * all.len());
    let mut blocks = 0;
    for [weight, state, grad] in all {
        let n = weight.elem_count();
        if state.elem_count() != 3 * n || grad.elem_count() != n {
            bail!(
                "adamw: {:?} states and {:?} gradients of {n} weights",
                state.shape(),
                grad.shape()
            );
        }
        for tensor in [weight, state, grad] {
            table.push(address(tensor, &device)?);
        }
        table.extend([n as u64, blocks as u64]);
        blocks += n.div_ceil(CHUNK);
    }
    if blocks == 0 {
        return Ok(());
    }
    let (table, count) = (device.clone_htod(&table)?, int(all.len())?);
    let (function, stream) = (kernel::<f32>(&device, "adamw")?, device.cuda_stream());
    let mut call = stream.launch_builder(&function);
    call.arg(&table).arg(&count);
    rates.iter().for_each(|rate| {
        call.arg(rate);
    });
    // SAFETY: the arguments are those of `adamw`; the tensors outlive the call, whose stream is the only one that their memory
    // is used and freed on; and each block writes elements that no other has.
    unsafe { call.launch(grid(blocks, THREADS)?)? };
    Ok(())
}

/// Where a contiguous f32 tensor begins on the device.
fn address(tensor: &Tensor, device: &CudaDevice) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    let offsets = Layout::contiguous_offsets(layout);
    match (&*storage, offsets) {
        (Storage::Cuda(storage), Some((start, end))) => {
            let slice = storage.as_cuda_slice::<f32>()?.slice(start..end);
            let stream = device.cuda_stream();
            let (address, _) = slice.device_ptr(&stream);
            Ok(address)
        }
        _ => bail!("adamw: what moves is contiguous, on a GPU"),
    }
}
