//! Reports in the forms that other programs take over: TensorBoard's event files, and the results in a model card of the
//! Hugging Face Hub.

mod columns;
pub mod model_card;
pub mod tensorboard;
mod yaml;
