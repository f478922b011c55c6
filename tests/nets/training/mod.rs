//! What moves weights in a training, and the averages of them.

mod averages;
mod mixed;
mod optimizer;
