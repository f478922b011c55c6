//! Gradients of a whole net without candle's copies: its `backward` writes zeros of every tensor's size and adds each
//! gradient to them, on one thread. What the operations of this room note in a [`record`] is gone through here instead.

pub mod backward;
pub mod cast;
pub mod checkpoint;
pub mod record;
