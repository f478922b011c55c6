//! What the studies of real images ask: a shipped net about the shapes world.

use fidrunner::stages::ask::denoiser_on_images::Request;
use std::path::Path;

pub const NET: &str = "experiments/shapes/unet16.safetensors";

pub fn question<'a>(store: &'a Path, count: u64, batch: usize) -> Request<'a> {
    Request {
        checkpoint: Path::new(NET),
        preset: None,
        data: "shapes",
        count: Some(count),
        batch,
        store,
    }
}
