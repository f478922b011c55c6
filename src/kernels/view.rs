//! A contiguous f32 tensor on the CPU seen as a slice, and the reverse.

use candle_core::{
    CpuStorage, DType, Device, Layout, Result, Shape, Storage, StorageRef, Tensor, bail,
};
use std::ops::Deref;

/// Whether our kernels take these tensors: f32 on the CPU, all of them.
pub fn ours(tensors: &[&Tensor]) -> bool {
    tensors
        .iter()
        .all(|t| t.dtype() == DType::F32 && t.device().is_cpu())
}

/// Whether what these tensors take part in is noted by a recording: floats of at most 32 bits and of one type, on the CPU or
/// on an NVIDIA GPU.
pub fn noted(tensors: &[&Tensor]) -> bool {
    let float = |t: &Tensor| matches!(t.dtype(), DType::F32 | DType::F16 | DType::BF16);
    let first = tensors.first().map(|t| t.dtype());
    tensors.iter().all(|t| {
        let device = t.device();
        (device.is_cpu() || device.is_cuda()) && float(t) && Some(t.dtype()) == first
    })
}

/// The elements of a contiguous f32 storage.
pub fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a kernel was given a tensor that is not contiguous"),
    }
}

/// A contiguous f32 CPU tensor, readable as `&[f32]` while this lives.
pub struct View<'a> {
    storage: StorageRef<'a>,
    start: usize,
    end: usize,
}

impl<'a> View<'a> {
    pub fn of(tensor: &'a Tensor) -> Result<View<'a>> {
        let (storage, layout) = tensor.storage_and_layout();
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("a kernel was given a tensor that is not contiguous")
        };
        match &*storage {
            Storage::Cpu(CpuStorage::F32(_)) => Ok(View {
                storage,
                start,
                end,
            }),
            _ => bail!("a CPU kernel was given a tensor that is not f32 on the CPU"),
        }
    }
}

impl Deref for View<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(data)) => &data[self.start..self.end],
            _ => unreachable!("checked when the view was made"),
        }
    }
}

/// A CPU tensor that takes `data` over without copying it.
pub fn tensor(data: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(data, shape.into(), &Device::Cpu)
}
