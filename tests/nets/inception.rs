//! FID's Inception-v3 against torch-fidelity, pytorch-fid and clean-fid: every feature of every image, from three
//! preprocessings.

use crate::support::golden::{distance, golden, same_shapes, values};
use crate::support::inception::{case, net, tap, weights};
use crate::support::process::on_threads;
use candle_core::{DType, Device, Tensor};
use fidrunner::data::resize::input::fill;
use fidrunner::experiment::scoring::rules::Preprocessing;
use fidrunner::io::image::pixels::Rgb8;
use fidrunner::nets::inception::net::{Features, SIDE, Taps, tensors};
use std::collections::HashMap;

/// Of the largest value of each answer.
const TOLERANCE: f64 = 1e-4;

/// Planes of f64 in 0..=255.
struct Picture {
    image: Rgb8,
    h: usize,
    w: usize,
    planes: Vec<Vec<f64>>,
}

impl Picture {
    fn open(name: &str) -> Picture {
        let path = golden(&format!("eval/images/{name}.png"));
        let image = image::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let image = image.to_rgb8();
        let plane = |c: usize| image.pixels().map(|p| f64::from(p.0[c])).collect();
        Picture {
            image: Rgb8 {
                w: image.width() as usize,
                h: image.height() as usize,
                data: image.as_raw().clone(),
            },
            h: image.height() as usize,
            w: image.width() as usize,
            planes: (0..3).map(plane).collect(),
        }
    }

    /// 299 x 299 pixels, each row and column a weighted sum of the rows and columns that `taps(size)` names.
    fn resized(&self, taps: &dyn Fn(usize) -> Vec<Vec<(usize, f64)>>) -> Vec<f64> {
        let (across, down) = (taps(self.w), taps(self.h));
        let mut all = Vec::new();
        for plane in &self.planes {
            // Rounded to f32 between the directions, as all three tools do.
            let rows: Vec<Vec<f64>> = plane
                .chunks(self.w)
                .map(|row| across.iter().map(|t| sum(t, |i| row[i])).collect())
                .collect();
            for taps in &down {
                all.extend((0..SIDE).map(|x| sum(taps, |i| rows[i][x])));
            }
        }
        all
    }
}

fn sum(taps: &[(usize, f64)], at: impl Fn(usize) -> f64) -> f64 {
    let total: f64 = taps.iter().map(|(i, w)| at(*i) * w).sum();
    f64::from(total as f32)
}

/// TensorFlow 1: no half pixels.
fn tf1(size: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = size as f32 / SIDE as f32;
    let tap = |i: usize| {
        let at = i as f32 * scale;
        let low = at.floor() as usize;
        let part = f64::from(at - at.floor());
        vec![(low, 1.0 - part), ((low + 1).min(size - 1), part)]
    };
    (0..SIDE).map(tap).collect()
}

/// Pillow's bicubic with a = -0.5, its support as wide as the shrinking asks for.
fn clean(size: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = size as f64 / SIDE as f64;
    let widen = scale.max(1.0);
    let cubic = |x: f64| {
        let (x, a) = (x.abs(), -0.5);
        match x {
            x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
            _ => 0.0,
        }
    };
    let tap = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        let low = (centre - 2.0 * widen + 0.5).max(0.0) as usize;
        let high = ((centre + 2.0 * widen + 0.5) as usize).min(size);
        let weights: Vec<f64> = (low..high)
            .map(|j| cubic((j as f64 - centre + 0.5) / widen))
            .collect();
        let total: f64 = weights.iter().sum();
        let weight = |(k, w): (usize, &f64)| (low + k, w / total);
        weights.iter().enumerate().map(weight).collect()
    };
    (0..SIDE).map(tap).collect()
}

fn input(values: Vec<f64>, normalise: impl Fn(f64) -> f64) -> Tensor {
    let data: Vec<f32> = values.into_iter().map(|v| normalise(v) as f32).collect();
    Tensor::from_vec(data, (1, 3, SIDE, SIDE), &Device::Cpu).expect("an image")
}

/// The image under a preprocessing: pixels of 0..=255 normalised as the tool does it.
fn prepared(picture: &Picture, how: &str) -> Tensor {
    match how {
        "tf1" => input(picture.resized(&tf1), |v| (v - 128.0) / 128.0),
        // The program's own, whose pixels are held to PyTorch's by the tests of images.
        "torch" => {
            let mut out = vec![0f32; Preprocessing::Torch.input_len()];
            fill(&picture.image, Preprocessing::Torch, &mut out).expect("an input");
            Tensor::from_vec(out, (1, 3, SIDE, SIDE), &Device::Cpu).expect("an image")
        }
        "clean" => input(picture.resized(&clean), |v| {
            (v.clamp(0.0, 255.0) - 128.0) / 128.0
        }),
        other => panic!("no preprocessing is called {other}"),
    }
}

/// How far the features that are stored for (image, preprocessing) are from `features`, by name; none may pass the limit.
fn compare(
    stored: &HashMap<String, Tensor>,
    (image, how): (&str, &str),
    features: &Features,
    worst: &mut HashMap<String, f64>,
) -> usize {
    let start = format!("{image}/{how}_");
    let mut seen = 0;
    for (key, theirs) in stored.iter().filter(|(key, _)| key.starts_with(&start)) {
        let name = &key[start.len()..];
        let off = distance(&values(tap(features, name)), &values(theirs));
        let off = off.unwrap_or_else(|e| panic!("{key}: {e}"));
        assert!(off <= TOLERANCE, "{key} is off by {off:.3e}");
        let worst = worst.entry(format!("{how}_{name}")).or_default();
        *worst = worst.max(off);
        seen += 1;
    }
    seen
}

#[test]
fn features_are_those_of_the_reference_programs() {
    let case = case();
    let (net, stored) = (net(&weights(&case)), case.arrays());
    let mut worst: HashMap<String, f64> = HashMap::new();
    let mut seen = 0;
    for image in case.images() {
        let picture = Picture::open(&image);
        for how in ["tf1", "torch", "clean"] {
            let x = prepared(&picture, how);
            let features = net.forward(&x, Taps::ALL).unwrap();
            seen += compare(&stored, (&image, how), &features, &mut worst);
        }
    }
    let mut worst: Vec<_> = worst.into_iter().collect();
    worst.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, off) in worst {
        println!("{name:24} {off:.1e}");
    }
    let features = stored.keys().filter(|key| !key.contains("/resized_"));
    assert_eq!(seen, features.count(), "not every stored feature was met");
}

#[test]
fn the_inventory_is_the_reference_s_state() {
    let case = case();
    // Counters of training batches are no part of the net.
    let theirs: Vec<_> = case
        .shapes()
        .into_iter()
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .collect();
    same_shapes("inception", &tensors(), &theirs);
}

#[test]
fn an_image_has_the_same_features_in_any_batch_and_on_any_threads() {
    let case = case();
    let net = net(&weights(&case));
    let all = case.images();
    let images: Vec<Tensor> = [0, all.len() / 2, all.len() - 1]
        .iter()
        .map(|&i| prepared(&Picture::open(&all[i]), "tf1"))
        .collect();
    let names = ["64", "192", "768", "2048", "spatial_2023", "logits"];
    let bits = |features: &Features, row: usize| -> Vec<Vec<u32>> {
        let row = |name: &&str| {
            tap(features, name)
                .get(row)
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        };
        names
            .iter()
            .map(|n| row(n).into_iter().map(f32::to_bits).collect())
            .collect()
    };
    let mut alone: Option<Vec<_>> = None;
    for threads in [1, 2, 3] {
        on_threads(threads, || {
            let all = net
                .forward(&Tensor::cat(&images, 0).unwrap(), Taps::ALL)
                .unwrap();
            let singles = images.iter().map(|image| {
                let features = net.forward(image, Taps::ALL).unwrap();
                bits(&features, 0)
            });
            let singles = alone.get_or_insert_with(|| singles.collect());
            for (i, single) in singles.iter().enumerate() {
                assert!(bits(&all, i) == *single, "image {i} on {threads} threads");
            }
        });
    }
}

#[test]
fn only_what_is_asked_for_is_made() {
    let case = case();
    let net = net(&weights(&case));
    let x = prepared(&Picture::open(&case.images()[0]), "tf1");
    let all = net.forward(&x, Taps::ALL).unwrap();
    let evaluator = net.forward(&x, Taps::EVALUATOR).unwrap();
    assert!(evaluator.pool64.is_none() && evaluator.logits.is_none());
    for name in ["2048", "spatial_2023", "logits_unbiased"] {
        assert_eq!(
            values(tap(&evaluator, name)),
            values(tap(&all, name)),
            "{name}"
        );
    }
    let early = Taps {
        spatial: true,
        pool64: true,
        ..Taps::NONE
    };
    let early = net.forward(&x, early).unwrap();
    assert!(early.pool.is_none());
    for name in ["64", "spatial_2023"] {
        assert_eq!(values(tap(&early, name)), values(tap(&all, name)), "{name}");
    }
    let small = Tensor::zeros((1, 3, 64, 64), DType::F32, &Device::Cpu).unwrap();
    let error = net.forward(&small, Taps::ALL).unwrap_err().to_string();
    assert!(error.contains("3 x 299 x 299"), "{error}");
}
