//! How weights of convolutions lie in memory, and of how many dimensions they are.

#[cfg(feature = "cuda")]
use crate::kernels::cuda::channels_last as last;
#[cfg(feature = "cuda")]
use crate::kernels::gradients::record::reshaped;
use candle_core::{Result, Tensor};

/// Whether `conv2d` of these lets the channels lie last in memory, and so is quicker with a weight that is [`turned`]:
/// halves on a GPU.
pub fn channels_last(x: &Tensor, w: &Tensor) -> bool {
    #[cfg(feature = "cuda")]
    return last::wanted(x, w);
    #[cfg(not(feature = "cuda"))]
    {
        let _ = (x, w);
        false
    }
}

/// The same weight `[co, ci, kh, kw]` with its channels last in memory, where this build has a use for that.
///
/// # Errors
/// Those of the device.
pub fn turned(w: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    return last::maps(&last::rows_of(w)?);
    #[cfg(not(feature = "cuda"))]
    Ok(w.clone())
}

/// A weight of tokens, `[co, ci, k]`, as `[co, ci, k, 1]`; others as they are.
pub(super) fn of_rows_and_columns(w: &Tensor) -> Result<Tensor> {
    let &[co, ci, k] = w.dims() else {
        return Ok(w.clone());
    };
    #[cfg(feature = "cuda")]
    return reshaped(w, (co, ci, k, 1));
    #[cfg(not(feature = "cuda"))]
    w.reshape((co, ci, k, 1))
}
