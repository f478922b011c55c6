//! Two worlds to score in: Inception with weights by the golden rule, and the small net of the shapes.

use crate::desk::Desk;
use crate::support::inception;
use crate::support::program::{Answer, Runner, shipped};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;
use fidrunner::io::numpy::npz::{self, Array, Npz};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

/// Inception's file, and the small net's.
pub const INCEPTION: &str = "inception.safetensors";
pub const FEATURES: &str = "experiments/shapes/features.safetensors";
pub const SHAPES32: &str = "reference_stats/shapes32.npz";

/// A folder of scenes at `side` pixels, as `NAME/0.png`, ...
pub fn scenes(desk: &Desk, name: &str, range: Range<u64>, side: usize) {
    fs::create_dir_all(desk.path(name)).unwrap();
    for i in range {
        let pixels = Scene::of(Stream::Validation, i).render(side);
        let path = desk.path(&format!("{name}/{i}.png"));
        write_png(&path, &pixels, side, side).unwrap();
    }
}

/// The same scenes as a batch of guided-diffusion, with a label each where there are any.
pub fn batch(desk: &Desk, name: &str, range: Range<u64>, side: usize, labels: &[i64]) {
    let n = (range.end - range.start) as usize;
    let pixels = range.flat_map(|i| Scene::of(Stream::Validation, i).render(side));
    let mut arrays = vec![("arr_0", Array::u8(&[n, side, side, 3], pixels.collect()))];
    if !labels.is_empty() {
        arrays.push(("arr_1", Array::i64(&[n], labels.to_vec())));
    }
    npz::write(&desk.path(name), &arrays).unwrap();
}

/// A desk with Inception's weights, a reference of twelve real images by `runner reference`, `ours.npz`, and the same as
/// other tools have it: `batch.npz` with images, `bare.npz` without, `plain.npz` of mu and sigma alone.
pub fn inception_desk() -> Desk {
    let desk = Desk::empty();
    inception::write(&desk.path(INCEPTION));
    scenes(&desk, "real", 0..12, 16);
    let made = desk.runner(&["reference", "real", "--out", "ours.npz"]);
    made.args(["--weights", INCEPTION]).succeeds();
    let mut ours = Npz::open(&desk.path("ours.npz")).unwrap();
    let mut moments = Vec::new();
    for (mean, cov) in [("mu", "sigma"), ("mu_s", "sigma_s")] {
        let (mu, sigma) = ours.moments(mean, cov).unwrap();
        let d = mu.len();
        moments.push((mean, Array::f64(&[d], mu)));
        moments.push((cov, Array::f64(&[d, d], sigma)));
    }
    npz::write(&desk.path("plain.npz"), &moments[..2]).unwrap();
    npz::write(&desk.path("bare.npz"), &moments).unwrap();
    let pixels = (0..12).flat_map(|i| Scene::of(Stream::Validation, i).render(16));
    moments.push(("arr_0", Array::u8(&[12, 16, 16, 3], pixels.collect())));
    npz::write(&desk.path("batch.npz"), &moments).unwrap();
    desk
}

/// `runner evaluator REF SAMPLES` with the desk's Inception.
pub fn evaluator(desk: &Desk, reference: &str, samples: &str) -> Runner {
    let call = desk.runner(&["evaluator", reference, samples]);
    call.args(["--weights", INCEPTION])
}

/// `runner score` with the net of the shapes.
pub fn score(desk: &Desk, arguments: &[&str]) -> Runner {
    let score = desk.runner(&["score"]).args(arguments);
    score.args(["--weights", &shipped(FEATURES)])
}

/// The scores of an answer's lines of JSON, by samples, reference and metric.
pub fn scores(answer: &Answer) -> BTreeMap<[String; 3], Value> {
    let word = |line: &Value, key: &str| line[key].as_str().map(str::to_string);
    let lines = answer.json_lines().into_iter();
    let named = lines.filter_map(|line| {
        let metric = word(&line, "metric")?;
        let place = [word(&line, "samples")?, word(&line, "reference")?, metric];
        Some((place, line))
    });
    named.collect()
}
