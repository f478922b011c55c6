//! CPU kernels as candle custom operations with gradients; candle's plain composition is their test oracle.
