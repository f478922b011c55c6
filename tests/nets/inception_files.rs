//! Inception's weights under the names of all three publishers, and files that are not Inception.

use crate::support::golden::values;
use crate::support::inception::{self, case, net, tap, weights};
use candle_core::{Device, Tensor};
use fidrunner::data::resize::input::fill;
use fidrunner::experiment::scoring::rules::Preprocessing;
use fidrunner::io::image::file::Rgb8;
use fidrunner::nets::inception::names::{Names, Order, Scheme, Source};
use fidrunner::nets::inception::net::{Inception, SIDE, Taps, tensors};
use fidrunner::stages::describe::extract::{Extractor, Rows};
use std::collections::HashMap;

/// The weights as another publisher's file would hold them, its scales left out.
fn renamed(weights: &HashMap<String, Tensor>, names: &Names) -> HashMap<String, Tensor> {
    let mut file = HashMap::new();
    for (name, tensor) in weights {
        if let Some(Source::Stored { name, order }) = names.source(name) {
            let tensor = match order {
                Order::AsItIs => tensor.clone(),
                Order::Kernel => tensor.permute((2, 3, 1, 0)).unwrap().contiguous().unwrap(),
                Order::Matrix => tensor.t().unwrap().contiguous().unwrap(),
            };
            file.insert(name.clone(), tensor);
        }
    }
    file
}

#[test]
fn weights_under_any_publisher_s_names_give_the_same_bits() {
    let case = case();
    let mut weights = weights(&case);
    // NVIDIA's file has no scales: ones, for all of them.
    for (name, tensor) in &mut weights {
        if name.ends_with(".bn.weight") {
            *tensor = tensor.ones_like().unwrap();
        }
    }
    let pixels = (0..3 * SIDE * SIDE).map(|i| (i * 7919 % 509) as f32 / 254.0 - 1.0);
    let x = Tensor::from_iter(pixels, &Device::Cpu).unwrap();
    let x = x.reshape((1, 3, SIDE, SIDE)).unwrap();
    let want = net(&weights).forward(&x, Taps::ALL).unwrap();
    for (scheme, some, count) in [
        (
            Scheme::Torch,
            "Mixed_7c.branch3x3dbl_3b.bn.running_var",
            472,
        ),
        (
            Scheme::Nvidia,
            "layers.mixed_10.tower_1_mixed_conv_1.var",
            378,
        ),
        (
            Scheme::Tensorflow,
            "mixed_10/tower_1/mixed/conv_1/batchnorm/moving_variance",
            472,
        ),
    ] {
        let all = names_of(scheme);
        assert!(
            all.iter().any(|name| name == some),
            "{scheme:?} has no {some}"
        );
        assert_eq!(all.len(), count, "{scheme:?}");
        let names = Names::of(all.iter().map(String::as_str)).unwrap();
        assert_eq!(names.scheme, scheme);
        let file = renamed(&weights, &names);
        assert_eq!(file.len(), count, "{scheme:?}");
        let read = |name: &str| {
            let stored = file.get(name);
            stored
                .cloned()
                .ok_or_else(|| candle_core::Error::Msg(format!("no {name}")))
        };
        let get = |name: &str| names.tensor(name, &read);
        let net = Inception::new(&get, &Device::Cpu).unwrap();
        let got = net.forward(&x, Taps::ALL).unwrap();
        for name in ["64", "192", "768", "2048", "spatial_2023", "logits"] {
            assert_eq!(
                values(tap(&got, name)),
                values(tap(&want, name)),
                "{scheme:?} {name}"
            );
        }
    }
}

/// `name`, `name_1`, ... as TensorFlow counts repeated names.
fn numbered(name: &str, n: usize) -> Vec<String> {
    let one = |i: usize| {
        if i == 0 {
            name.to_string()
        } else {
            format!("{name}_{i}")
        }
    };
    (0..n).map(one).collect()
}

/// The paths of the convolutions within TensorFlow's `mixed` block `i`.
fn within_block(i: usize) -> Vec<String> {
    let within = |tower: &str, n: usize| -> Vec<String> {
        let convs = numbered("conv", n).into_iter();
        convs.map(|c| format!("{tower}/{c}")).collect()
    };
    let alone = || vec!["conv".to_string()];
    let inner = match i {
        0..=2 => vec![
            alone(),
            within("tower", 2),
            within("tower_1", 3),
            within("tower_2", 1),
        ],
        3 => vec![alone(), within("tower", 3)],
        4..=7 => vec![
            alone(),
            within("tower", 3),
            within("tower_1", 5),
            within("tower_2", 1),
        ],
        8 => vec![within("tower", 2), within("tower_1", 4)],
        _ => vec![
            alone(),
            within("tower", 1),
            within("tower/mixed", 2),
            within("tower_1", 2),
            within("tower_1/mixed", 2),
            within("tower_2", 1),
        ],
    };
    inner.concat()
}

/// The names of a publisher's file, written down without the code under test.
fn names_of(scheme: Scheme) -> Vec<String> {
    if scheme == Scheme::Torch {
        return tensors().into_iter().map(|(name, _)| name).collect();
    }
    let mut paths = numbered("conv", 5);
    for (i, block) in numbered("mixed", 11).iter().enumerate() {
        let flat = scheme == Scheme::Nvidia && i > 8;
        for path in within_block(i) {
            let path = if flat { path.replace('/', "_") } else { path };
            paths.push(format!("{block}/{path}"));
        }
    }
    let (parts, head): (&[&str], [&str; 2]) = match scheme {
        Scheme::Nvidia => (
            &["weight", "beta", "mean", "var"],
            ["output.weight", "output.bias"],
        ),
        _ => (
            &[
                "conv2d_params",
                "batchnorm/beta",
                "batchnorm/gamma",
                "batchnorm/moving_mean",
                "batchnorm/moving_variance",
            ],
            ["softmax/weights", "softmax/biases"],
        ),
    };
    let mut all: Vec<String> = Vec::new();
    for path in paths {
        for part in parts {
            all.push(match scheme {
                Scheme::Nvidia => format!("layers.{}.{part}", path.replace('/', ".")),
                _ => format!("{path}/{part}"),
            });
        }
    }
    all.extend(head.map(str::to_string));
    all
}

#[test]
fn files_that_are_not_inception_are_refused_by_what_they_lack() {
    let error = Names::of(["model.weight"]).unwrap_err().to_string();
    assert!(
        error.contains("hint: ") && error.contains("conv/conv2d_params"),
        "{error}"
    );
    let mut names = names_of(Scheme::Nvidia);
    names.retain(|name| name != "layers.mixed_4.tower_1.conv_3.var");
    let error = Names::of(names.iter().map(String::as_str))
        .unwrap_err()
        .to_string();
    let want = "tensor `layers.mixed_4.tower_1.conv_3.var` is missing, Inception-v3 needs it as \
                `Mixed_6b.branch7x7dbl_4.bn.running_var`";
    // A backtrace may follow.
    assert!(error.starts_with(want), "{error}");
}

#[test]
fn an_image_is_described_alike_whoever_resizes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inception.safetensors");
    inception::write(&path);
    let extractor = Extractor::open(&path, None, &Device::Cpu).unwrap();
    // A GPU alone takes images as they are.
    assert!(
        Preprocessing::ALL
            .iter()
            .all(|how| !extractor.resizes(*how))
    );
    // Images of one size, and of several.
    for sizes in [[(24, 24), (24, 24)], [(24, 24), (9, 17)]] {
        let images = sizes.map(|(w, h)| {
            let data = (0..w * h * 3).map(|i| (i * 37) as u8).collect();
            Rgb8 { w, h, data }
        });
        let how = Preprocessing::Torch;
        let mut inputs = vec![0f32; 2 * how.input_len()];
        for (image, out) in images.iter().zip(inputs.chunks_mut(how.input_len())) {
            fill(image, how, out).unwrap();
        }
        let (mut resized, mut given) = (Rows::default(), Rows::default());
        extractor.describe(inputs, how, &mut resized).unwrap();
        extractor.describe_images(&images, how, &mut given).unwrap();
        assert!(!given.pool.is_empty() && given.pool == resized.pool);
        assert!(given.spatial == resized.spatial && given.logits == resized.logits);
    }
}
