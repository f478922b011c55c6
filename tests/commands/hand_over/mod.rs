//! What is handed over to other programs: reports for TensorBoard and for model cards, and sets of images packed.

mod events;
mod model_card;
mod pack;
mod step;
mod study;
mod tensorboard;
