//! Batches that go through a net some images at a time: the draws of the whole batch, and its gradients up to rounding.

use super::resumed::{
    CLASSIFIER, FEATURES, SUPERRES, UNET, logged, resumes_exactly, train, weights,
};
use crate::support::archs::heard;
use candle_core::{Device, Tensor};
use fidrunner::data::shapes::Stream;
use fidrunner::experiment::file::experiment::Experiment;
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::experiment::nets::resolve::resolve;
use fidrunner::stages::feed::Feed;
use fidrunner::stages::train::journal::Term;
use fidrunner::stages::train::learner::Learner;
use fidrunner::stages::train::microbatch::learn;
use fidrunner::stages::train::optimizer::adamw::AdamW;

/// The training of a super-resolution net, with as many images a step as the others.
fn enlarging() -> String {
    SUPERRES.replace("batch = 2", "batch = 4")
}

/// The same training with so many images at a time.
fn by(text: &str, images: usize) -> String {
    format!("{text}microbatch = {images}\n")
}

/// What an update learns.
struct Learned {
    gradients: Vec<Tensor>,
    terms: Vec<Term>,
}

/// What one update learns from its batch, of a net without layers of zeros.
fn learned(text: &str) -> Learned {
    let spec: Experiment = toml::from_str(text).unwrap();
    let (arch, process) = resolve(&spec.model, None).unwrap();
    let train = spec.net_train().unwrap();
    let adamw = AdamW::new(heard(&arch), train).unwrap();
    let vb = adamw.builder(&Device::Cpu);
    let mut learner = Learner::new(&arch, process.as_ref(), train, vb, None).unwrap();
    let mut feed = Feed::open(train, Stream::Train, &[arch.resolution()]).unwrap();
    if matches!(arch, Arch::Features(_)) {
        feed = feed.with_attributes().unwrap();
    }
    let batch = feed.batch(1).unwrap();
    let (gradients, said) = learn(&learner, &adamw, (train, 1), &batch).unwrap();
    let terms = said.read(&mut learner, train).unwrap();
    Learned { gradients, terms }
}

/// The values of a term, image by image.
fn values(learned: &Learned, name: &str) -> Vec<f32> {
    let terms = learned.terms.iter().filter(|term| term.name == name);
    terms.flat_map(|term| term.values.clone()).collect()
}

fn list(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn largest(values: &[f32]) -> f32 {
    values
        .iter()
        .fold(0f32, |most, value| most.max(value.abs()))
}

#[test]
fn gradients_are_those_of_the_whole_batch() {
    for text in [UNET, CLASSIFIER, &enlarging(), FEATURES] {
        let whole = learned(text);
        let all = whole.gradients.iter().map(|g| largest(&list(g)));
        let all = all.fold(0f32, f32::max);
        for images in [1, 3] {
            let parts = learned(&by(text, images));
            for name in ["loss", "mse", "vb", "accuracy", "attributes"] {
                assert_eq!(values(&parts, name), values(&whole, name), "{name}");
            }
            let mut apart = 0f32;
            for (ours, want) in parts.gradients.iter().zip(&whole.gradients) {
                let (ours, want) = (list(ours), list(want));
                let near = 1e-5 * largest(&want) + f32::EPSILON * all;
                for (ours, want) in ours.iter().zip(&want) {
                    assert!((ours - want).abs() <= near, "{ours} for {want}, of {all}");
                    apart = apart.max((ours - want).abs() / all);
                }
            }
            println!("{images} images at a time: {apart:.1e} of the largest gradient");
        }
    }
}

#[test]
fn a_training_ends_at_the_weights_of_one_by_whole_batches() {
    // So few timesteps that the losses of all images decide which are drawn next.
    let few = UNET.replace("[train]", "[model.process]\ntimesteps = 2\n[train]");
    let few = few.replace("steps = 6", "steps = 12");
    let [classifier, enlarging] =
        [CLASSIFIER, &enlarging()].map(|text| format!("{text}ema = 0.5\n"));
    for text in [&few, &classifier, &enlarging] {
        let trained = |text: &str| {
            let dir = tempfile::tempdir().unwrap();
            train(text, dir.path(), None).unwrap();
            let file = weights(&dir.path().join("model.safetensors")).into_iter();
            let values = file.flat_map(|(_, bits)| bits.into_iter().map(f32::from_bits));
            values.collect::<Vec<f32>>()
        };
        let whole = trained(text);
        for images in [1, 3] {
            let parts = trained(&by(text, images));
            let apart = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs());
            let mut apart: Vec<f32> = apart.collect();
            apart.sort_by(f32::total_cmp);
            let at = |share: f64| apart[(share * (apart.len() - 1) as f64) as usize];
            let [half, most, all] = [0.5, 0.99, 1.0].map(at);
            println!(
                "{images} images at a time: half within {half:.1e}, 99 % within {most:.1e}, all within {all:.1e}"
            );
            // Where gradients cancel (a key's bias), Adam divides what rounding leaves of them by its own size.
            assert!(half < 1e-6 && most < 1e-5, "{half} {most}");
        }
    }
}

#[test]
fn the_log_says_what_it_says_of_whole_batches() {
    for text in [UNET, CLASSIFIER, FEATURES] {
        for column in [
            "loss",
            "loss_q3",
            "mse",
            "accuracy",
            "validation_loss",
            "gradient_norm",
        ] {
            let [whole, parts] = [text, &by(text, 3)].map(|text| logged(text, column));
            assert_eq!(whole.len(), parts.len());
            for (whole, parts) in whole.iter().zip(&parts) {
                let apart = (whole - parts).abs();
                assert!(apart <= 1e-3 * whole.abs(), "{column}: {whole} and {parts}");
            }
        }
    }
}

#[test]
fn it_resumes_exactly() {
    for (text, more) in [
        (UNET, ""),
        (UNET, "gradient_checkpointing = true\n"),
        (CLASSIFIER, ""),
        (&enlarging(), "dtype = \"bf16\"\n"),
        (FEATURES, ""),
    ] {
        resumes_exactly(&format!("{}{more}", by(text, 3)));
    }
}

#[test]
fn the_whole_batch_at_once_has_the_bits_of_no_microbatch() {
    let trained = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        train(text, dir.path(), None).unwrap();
        weights(&dir.path().join("model.safetensors"))
    };
    assert!(trained(&by(CLASSIFIER, 4)) == trained(CLASSIFIER));
}
