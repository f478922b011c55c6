//! Draws ten images, one of each class, with a net that ships:
//! `cargo run --release --example draw_ten_images -- experiments/shapes/unet16.safetensors out`

use fidrunner::{Device, Drawing, Generator, Sampler};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, folder] = arguments.as_slice() else {
        anyhow::bail!("usage: draw_ten_images CHECKPOINT FOLDER")
    };
    let generator = Generator::open(Path::new(checkpoint), None, &Device::Cpu)?;
    let images = generator.draw(&Drawing {
        count: 10,
        seed: 0,
        steps: "50".to_string(),
        sampler: Sampler::Ddim,
        class: None,
    })?;
    std::fs::create_dir_all(folder)?;
    for (n, image) in images.iter().enumerate() {
        let names = generator.classes();
        let name = names.get(n % names.len().max(1));
        let name = name.map_or("image", String::as_str);
        image.save(&Path::new(folder).join(format!("{n}-{name}.png")))?;
    }
    println!("{folder}: {} images", images.len());
    Ok(())
}
