//! cuDNN: the convolution and its gradients, of any strides, by products of unfolded images.

mod calls;
mod convolution;
mod described;
