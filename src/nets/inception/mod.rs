//! FID's Inception-v3 (arXiv:1512.00567, with the changes of TensorFlow's 2015-12-05 graph).

pub mod blocks;
pub mod multiplications;
pub mod names;
pub mod net;
