//! The three types of float, tensors as the driver sees them, and the compiled kernels by name.

use crate::kernels::device_code::source_of;
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::cudnn::CudnnDataType;
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaView, DeviceRepr, LaunchConfig,
};
use candle_core::cuda_backend::cudarc::nvrtc::compile_ptx;
use candle_core::cuda_backend::{CudaDType, DeviceId};
use candle_core::op::BackpropOp;
use candle_core::{
    CudaDevice, CudaStorage, Error, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};
use half::{bf16, f16};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

/// A storage and how a tensor lies in it.
pub type Part<'a> = (&'a CudaStorage, &'a Layout);

/// A null pointer, for what a kernel may be given or not.
pub const NONE: u64 = 0;

/// The kernels of a type, compiled, or why they could not be.
type Compiled = OnceLock<std::result::Result<String, String>>;

/// A type of float that the kernels are compiled for.
pub trait Float: CudaDType + DeviceRepr + CudnnDataType + WithDType {
    /// what the names of its kernels end in
    const NAME: &'static str;

    /// Its kernels, once for all devices.
    fn compiled() -> &'static Compiled;
}

macro_rules! float {
    ($float:ty, $name:literal) => {
        impl Float for $float {
            const NAME: &'static str = $name;

            fn compiled() -> &'static Compiled {
                static COMPILED: Compiled = Compiled::new();
                &COMPILED
            }
        }
    };
}
float!(f32, "f32");
float!(f16, "f16");
float!(bf16, "bf16");

/// Calls `$function::<T>(..)` with `T` the type of `$storage`; `$function<M>(..)` has a type more, before `T`.
macro_rules! by_type {
    ($storage:expr, $function:ident $(< $($of:ident),+ >)? ( $($argument:expr),* $(,)? )) => {
        match candle_core::backend::BackendStorage::dtype($storage) {
            candle_core::DType::F32 => $function::<$($($of,)+)? f32>($($argument),*),
            candle_core::DType::F16 => $function::<$($($of,)+)? half::f16>($($argument),*),
            candle_core::DType::BF16 => $function::<$($($of,)+)? half::bf16>($($argument),*),
            other => candle_core::bail!("the GPU's kernels are not made for {other:?}"),
        }
    };
}
pub(super) use by_type;

/// The elements of a contiguous storage.
pub fn view<'a, T: Float>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("a kernel was given a tensor that is not contiguous"),
    }
}

/// Calls `body` with the storages and layouts of tensors on one GPU.
pub fn with<R, const N: usize>(
    tensors: [&Tensor; N],
    body: impl FnOnce([(&CudaStorage, &Layout); N]) -> Result<R>,
) -> Result<R> {
    let guards = tensors.map(Tensor::storage_and_layout);
    let mut wrong = None;
    let pairs = guards.each_ref().map(|(storage, layout)| match &**storage {
        Storage::Cuda(storage) => Some((storage, *layout)),
        other => {
            wrong = Some(other.device().location());
            None
        }
    });
    if let Some(place) = wrong {
        bail!("a kernel of the GPU was given a tensor on {place:?}");
    }
    let mut pairs = pairs.into_iter().flatten();
    body(std::array::from_fn(|_| {
        pairs.next().expect("each was found above")
    }))
}

/// A tensor that takes `slice` over.
pub fn tensor<T: Float>(slice: CudaSlice<T>, shape: &Shape, device: &CudaDevice) -> Tensor {
    owned(
        CudaStorage::wrap_cuda_slice(slice, device.clone()),
        shape.clone(),
    )
}

/// A tensor that takes a storage over, all of it.
pub fn owned(storage: CudaStorage, shape: Shape) -> Tensor {
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

/// `tensor` contiguous, and starting where four of its values may be read at once.
pub fn aligned(tensor: &Tensor) -> Result<Tensor> {
    let tensor = tensor.contiguous()?;
    match tensor.layout().start_offset() % 4 {
        0 => Ok(tensor),
        _ => tensor.force_contiguous(),
    }
}

/// A kernel's device, its name, and that of its type of float.
type Which = (DeviceId, &'static str, &'static str);

thread_local! {
    /// What this thread has launched before: the driver takes a microsecond to find a kernel by its name.
    static FOUND: RefCell<HashMap<Which, CudaFunction>> = RefCell::new(HashMap::new());
}

/// The kernel `name` for `T`; all of this type are compiled when the first is asked for.
pub fn kernel<T: Float>(device: &CudaDevice, name: &'static str) -> Result<CudaFunction> {
    let which = (device.id(), name, T::NAME);
    if let Some(found) = FOUND.with_borrow(|found| found.get(&which).cloned()) {
        return Ok(found);
    }
    let (function, module) = (format!("{name}_{}", T::NAME), format!("runner_{}", T::NAME));
    let function = device
        .get_or_load_custom_func(&function, &module, compiled::<T>()?)?
        .into_cuda_function();
    FOUND.with_borrow_mut(|found| found.insert(which, function.clone()));
    Ok(function)
}

fn compiled<T: Float>() -> Result<&'static str> {
    let compiled = T::compiled().get_or_init(|| {
        let ptx = compile_ptx(source_of(T::NAME));
        ptx.map(|ptx| ptx.to_src()).map_err(|e| e.to_string())
    });
    match compiled {
        Ok(ptx) => Ok(ptx),
        Err(error) => Err(Error::Msg(format!("compiling the GPU's kernels: {error}"))),
    }
}

/// `blocks` blocks of `threads` threads.
pub fn grid(blocks: usize, threads: u32) -> Result<LaunchConfig> {
    Ok(LaunchConfig {
        grid_dim: (int(blocks)?.cast_unsigned(), 1, 1),
        block_dim: (threads, 1, 1),
        shared_mem_bytes: 0,
    })
}

/// For loops over `count` elements: enough threads to fill any card, and no more than there is work for.
pub fn loops(count: usize) -> Result<LaunchConfig> {
    grid(count.div_ceil(256).clamp(1, 16_384), 256)
}

/// A size as kernels take it.
pub fn int(size: usize) -> Result<i32> {
    i32::try_from(size).map_err(|_| {
        Error::Msg(format!(
            "a tensor of {size} elements is more than a kernel of the GPU counts to\nhint: ask for a smaller batch"
        ))
    })
}

/// The device of a storage.
pub fn device(storage: &CudaStorage) -> &CudaDevice {
    storage.device()
}
