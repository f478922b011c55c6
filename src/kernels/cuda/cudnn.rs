//! cuDNN's handles, one a thread and device, its descriptors of a convolution, and the algorithms that it chose.

use super::float::Float;
use candle_core::cuda_backend::DeviceId;
pub use candle_core::cuda_backend::cudarc::cudnn::sys::cudnnTensorFormat_t as Format;
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as DataAlgo, cudnnConvolutionBwdFilterAlgo_t as FilterAlgo,
    cudnnConvolutionFwdAlgo_t as ForwardAlgo, cudnnConvolutionMode_t as Mode,
    cudnnDataType_t as DataType, cudnnMathType_t as Math,
};
use candle_core::cuda_backend::cudarc::cudnn::{
    ConvDescriptor, Cudnn, FilterDescriptor, TensorDescriptor,
};
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::{CudaDevice, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// The sizes that cuDNN's choices depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    pub x: [i32; 4],
    pub w: [i32; 4],
    pub y: [i32; 4],
    pub pad: [i32; 2],
    pub stride: i32,
    pub tf32: bool,
    /// how all three lie in memory
    pub format: Format,
}

/// An algorithm and the bytes that it works in, by type and sizes.
pub type Choices<A> = HashMap<(DataType, Problem), (A, usize)>;

/// Bytes of a workspace that waits for the next convolution; a larger one goes back to the device's pool.
const KEPT: usize = 64 << 20;

/// A thread's cuDNN on one device, and what it chose so far.
pub struct Library {
    pub handle: Arc<Cudnn>,
    pub forward: Choices<ForwardAlgo>,
    pub data: Choices<DataAlgo>,
    pub filter: Choices<FilterAlgo>,
    /// All work of a device is on one stream, so that one convolution is done with it when the next begins.
    work: Option<CudaSlice<u8>>,
}

impl Library {
    /// Calls `body` with `bytes` to work in, or more.
    ///
    /// # Errors
    /// Those of the device and of `body`.
    pub fn with_workspace<R>(
        &mut self,
        device: &CudaDevice,
        bytes: usize,
        body: impl FnOnce(&mut CudaSlice<u8>) -> Result<R>,
    ) -> Result<R> {
        // SAFETY: cuDNN reads nothing there that it did not write.
        let made = || unsafe { device.alloc::<u8>(bytes.max(1)) };
        if bytes > KEPT {
            return body(&mut made()?);
        }
        let mut work = match self.work.take().filter(|work| work.len() >= bytes) {
            Some(work) => work,
            None => made()?,
        };
        let done = body(&mut work);
        self.work = Some(work);
        done
    }
}

thread_local! {
    static LIBRARIES: RefCell<HashMap<DeviceId, Library>> = RefCell::new(HashMap::new());
}

/// A convolution and its three tensors as cuDNN knows them.
pub struct Described<T> {
    pub conv: ConvDescriptor<f32>,
    pub x: TensorDescriptor<T>,
    pub w: FilterDescriptor<T>,
    pub y: TensorDescriptor<T>,
}

impl<T: Float> Described<T> {
    pub fn new(handle: &Arc<Cudnn>, p: &Problem) -> Result<Self> {
        let (mode, format) = (Mode::CUDNN_CROSS_CORRELATION, p.format);
        let mut conv = handle.create_conv2d::<f32>(p.pad, [p.stride; 2], [1, 1], mode)?;
        conv.set_math_type(match T::DATA_TYPE {
            DataType::CUDNN_DATA_FLOAT if p.tf32 => Math::CUDNN_DEFAULT_MATH,
            DataType::CUDNN_DATA_FLOAT => Math::CUDNN_FMA_MATH,
            _ => Math::CUDNN_TENSOR_OP_MATH,
        })?;
        Ok(Self {
            conv,
            x: handle.create_4d_tensor(format, p.x)?,
            w: handle.create_4d_filter(format, p.w)?,
            y: handle.create_4d_tensor(format, p.y)?,
        })
    }
}

/// Calls `body` with this thread's cuDNN for `device`.
pub fn library<R>(device: &CudaDevice, body: impl FnOnce(&mut Library) -> Result<R>) -> Result<R> {
    LIBRARIES.with_borrow_mut(|libraries| {
        use std::collections::hash_map::Entry;
        body(match libraries.entry(device.id()) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(Library {
                handle: Cudnn::new(device.cuda_stream())?,
                forward: HashMap::new(),
                data: HashMap::new(),
                filter: HashMap::new(),
                work: None,
            }),
        })
    })
}

/// The choice for `problem`, made by `choose` the first time.
pub fn chosen<T: Float, A: Copy>(
    choices: &mut Choices<A>,
    problem: &Problem,
    choose: impl FnOnce() -> Result<(A, usize)>,
) -> Result<(A, usize)> {
    let key = (T::DATA_TYPE, *problem);
    if let Some(choice) = choices.get(&key) {
        return Ok(*choice);
    }
    let choice = choose()?;
    choices.insert(key, choice);
    Ok(choice)
}
