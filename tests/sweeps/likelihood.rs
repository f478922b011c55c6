//! Bits per dimension of real images, as the stage finds them.

use crate::question::{NET, question};
use crate::support::archs::shipped_without_variance;
use crate::support::program::files_ending;
use candle_core::Device;
use fidrunner::data::shapes::{CLASSES, Stream};
use fidrunner::data::source::{Augment, Source};
use fidrunner::diffusion::likelihood::bpd::bits_per_dim;
use fidrunner::diffusion::random::noise::Noise;
use fidrunner::jobs::context::Watch;
use fidrunner::stages::ask::denoiser_on_images::{DenoiserOnImages, Request};
use fidrunner::stages::ask::likelihood::likelihood;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn bits(store: &Path, count: u64, batch: usize, seed: u64) -> (f64, Vec<f64>) {
    let question = question(store, count, batch);
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    let found = likelihood(
        &subject,
        "4",
        seed,
        Watch {
            tell: &|_| {},
            warn: &|_| {},
            stop: &AtomicBool::new(false),
        },
    )
    .unwrap();
    assert!(found.interval.0 < found.bits && found.bits < found.interval.1);
    (found.bits, found.terms.iter().map(|t| t.vb).collect())
}

#[test]
fn the_bound_is_that_of_the_algebra_for_any_batch_and_any_order_of_work() {
    let stores = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let whole = bits(stores[0].path(), 6, 6, 0);
    assert_eq!(bits(stores[1].path(), 6, 4, 0), whole);
    // Two images first, then all six: the part that is there is not made again.
    bits(stores[2].path(), 2, 2, 0);
    let first = files_ending(stores[2].path(), "npz");
    let made = std::fs::metadata(&first[0]).unwrap().modified().unwrap();
    assert_eq!(bits(stores[2].path(), 6, 4, 0), whole);
    let after = std::fs::metadata(&first[0]).unwrap().modified().unwrap();
    assert_eq!(made, after);
    assert_ne!(bits(stores[0].path(), 6, 6, 1).0, whole.0);

    let question = question(stores[0].path(), 6, 6);
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    let images: Vec<u64> = (0..6).collect();
    let schedule = subject.schedule("4").unwrap();
    let x0 = subject.images(&images).unwrap();
    let denoise = subject.denoiser(subject.labels(&images).unwrap());
    let noise = Noise::apart(0, "likelihood");
    let noise = |step: u64| noise.tensor(&images, step, (3, 16, 16), &Device::Cpu);
    let reading = subject.reading(&schedule);
    let go_on = &mut |_| ControlFlow::Continue(());
    let own = bits_per_dim(reading, &x0, &denoise, &noise, go_on).unwrap();
    let total = own.unwrap().total.to_vec1::<f32>().unwrap();
    let mean = total.iter().map(|v| f64::from(*v)).sum::<f64>() / 6.0;
    assert_eq!(mean, whole.0);
    let sum: f64 = whole.1.iter().sum();
    assert!((sum - whole.0).abs() < 1e-4 * whole.0, "{sum} {}", whole.0);
}

#[test]
fn a_fixed_variance_has_the_same_errors_and_a_bound_of_its_own() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("fixed.safetensors");
    shipped_without_variance(&path, None);
    let found = |checkpoint: &Path| {
        let question = Request {
            checkpoint,
            ..question(desk.path(), 3, 3)
        };
        let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
        likelihood(
            &subject,
            "20",
            0,
            Watch {
                tell: &|_| {},
                warn: &|_| {},
                stop: &AtomicBool::new(false),
            },
        )
        .unwrap()
    };
    let (learned, fixed) = (found(Path::new(NET)), found(&path));
    for (a, b) in learned.terms.iter().zip(&fixed.terms) {
        assert_eq!(
            (a.timestep, a.mse, a.xstart_mse),
            (b.timestep, b.mse, b.xstart_mse)
        );
    }
    assert_eq!(learned.prior, fixed.prior);
    // With a fixed variance a term of the bound is the error of x0, weighted: the Kullback-Leibler divergence of two
    // Gaussians whose means differ by coef1 (x0 - its estimate). The last step's is no divergence.
    let mut differ = 0;
    let question = question(desk.path(), 3, 3);
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    let schedule = subject.schedule("20").unwrap();
    for (k, (term, other)) in fixed.terms.iter().zip(&learned.terms).enumerate() {
        let i = 19 - k;
        if i == 0 {
            continue;
        }
        let (now, prev) = (schedule.alpha_bar[i], schedule.alpha_bar_prev[i]);
        let beta = 1.0 - now / prev;
        let narrow = beta * (1.0 - prev) / (1.0 - now);
        let coef1 = beta * prev.sqrt() / (1.0 - now);
        let ratio = narrow / beta;
        let apart = coef1 * coef1 * term.xstart_mse / beta;
        let divergence = 0.5 * (-1.0 - ratio.ln() + ratio + apart) / std::f64::consts::LN_2;
        let off = (term.vb - divergence).abs();
        assert!(
            off < 1e-4 * divergence + 1e-6,
            "step {i}: {} {divergence}",
            term.vb
        );
        differ += usize::from((term.vb - other.vb).abs() > 0.01 * term.vb);
    }
    assert!(differ > 10, "the learned variance was not read");
}

/// Ten validation images of the shapes world, one a class, as PNG files `CLASS_i.png`.
fn folder_of_shapes(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let source = Source::open("shapes", Stream::Validation, 16).unwrap();
    let plain = Augment {
        flip: false,
        crop: None,
    };
    for i in 0..10 {
        let example = source.get(i, plain).unwrap();
        let name = &source.classes()[example.label.unwrap() as usize];
        let picture = image::RgbImage::from_raw(16, 16, example.pixels).unwrap();
        picture
            .save(folder.join(format!("{name}_{i}.png")))
            .unwrap();
    }
}

#[test]
fn images_of_a_folder_are_asked_by_the_names_that_the_net_knows() {
    let desk = tempfile::tempdir().unwrap();
    let data = desk.path().join("images");
    folder_of_shapes(&data);
    let question = Request {
        data: data.to_str().unwrap(),
        ..question(desk.path(), 10, 10)
    };
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    let all: Vec<u64> = (0..10).collect();
    let labels = subject
        .labels(&all)
        .unwrap()
        .unwrap()
        .to_vec1::<u32>()
        .unwrap();
    let mut sorted = CLASSES;
    sorted.sort();
    let names: Vec<&str> = labels
        .iter()
        .map(|label| CLASSES[*label as usize])
        .collect();
    assert_eq!(names, sorted);
    assert_ne!(CLASSES, sorted, "else the order would prove nothing");
}
