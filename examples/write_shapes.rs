//! Images of the shapes world as one npz, for a sampler that is trained elsewhere:
//! `cargo run --release --example write_shapes -- OUT.npz COUNT SIDE`.

use anyhow::{Context, Result};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::numpy::npz::{self, Array};
use std::path::Path;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let out = args.next().context("the file to write is missing")?;
    let mut number = |what: &str| -> Result<usize> {
        let text = args.next().with_context(|| format!("{what} is missing"))?;
        text.parse().with_context(|| format!("{what} is `{text}`"))
    };
    let (count, side) = (number("the count")?, number("the side in pixels")?);
    let scenes: Vec<Scene> = (0..count as u64)
        .map(|i| Scene::of(Stream::Train, i))
        .collect();
    let pixels = scenes.iter().flat_map(|scene| scene.render(side)).collect();
    let labels = scenes.iter().map(|scene| scene.class as i64).collect();
    npz::write(
        Path::new(&out),
        &[
            ("arr_0", Array::u8(&[count, side, side, 3], pixels)),
            ("arr_1", Array::i64(&[count], labels)),
        ],
    )
}
