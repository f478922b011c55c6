//! The metrics room against the reference programs' answers in golden/eval.

mod golden_files;
use candle_core::Tensor;
use faer::Mat;
use golden_files::{Case, cases, close, noise, values};
use runner::metrics::frechet::{Reference, frechet};
use runner::metrics::moments::Moments;
use std::collections::HashMap;

/// The two sets of features of a metrics case, stored or made by its recipe.
struct Sets {
    d: usize,
    generated: Vec<f32>,
    real: Vec<f32>,
    arrays: HashMap<String, Tensor>,
}

impl Sets {
    fn of(case: &Case) -> Sets {
        let recipe = &case.value["recipe"];
        let d = recipe["d"].as_u64().unwrap() as usize;
        let arrays = case.arrays();
        let set = |name: &str, letter: &str, which: usize| match arrays.get(name) {
            Some(stored) => stored.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            None => {
                let n = recipe[format!("n_{name}")].as_u64().unwrap() as usize;
                let name = format!("{}.{letter}/z", recipe["name"].as_str().unwrap());
                let z = noise(&case.salt, &name, &[n, d]);
                let mix = noise(&case.salt, "wide/mix", &[d, d]);
                let at = |field: &str| recipe[field][which].as_f64().unwrap();
                features(&z, &mix, d, at("scale"), at("shift"))
            }
        };
        let generated = set("generated", "a", 0);
        let real = set("real", "b", 1);
        Sets {
            d,
            generated,
            real,
            arrays,
        }
    }
}

/// f32(max(z·mix / sqrt(d)·scale + shift, 0)), the products in f64.
fn features(z: &[f32], mix: &[f32], d: usize, scale: f64, shift: f64) -> Vec<f32> {
    let root = (d as f64).sqrt();
    let mix: Vec<f64> = mix.iter().map(|&v| f64::from(v) / root).collect();
    let row = |z: &[f32]| {
        let mut sum = vec![0.0; d];
        for (&z, mix) in z.iter().zip(mix.chunks_exact(d)) {
            for (s, m) in sum.iter_mut().zip(mix) {
                *s += f64::from(z) * m;
            }
        }
        sum.into_iter()
            .map(|s| (s * scale + shift).max(0.0) as f32)
            .collect::<Vec<f32>>()
    };
    z.chunks_exact(d).flat_map(row).collect()
}

fn number(case: &Case, field: &str) -> f64 {
    let value = case.value[field].as_f64();
    value.unwrap_or_else(|| panic!("{} has no number {field}", case.name))
}

fn check(case: &Case, what: &str, ours: f64, theirs: f64, rel: f64) {
    println!(
        "{} {what}: {ours} against {theirs}, off by {:.1e}",
        case.name,
        (ours - theirs).abs() / theirs.abs()
    );
    close(&[ours], &[theirs], rel).unwrap_or_else(|e| panic!("{} {what}: {e}", case.name));
}

#[test]
fn moments_and_frechet_distances_agree_with_the_exact_ones() {
    for case in cases("eval", "metrics") {
        let sets = Sets::of(&case);
        let ours = [&sets.generated, &sets.real].map(|rows| Moments::of(rows, sets.d).unwrap());
        for (moments, i) in ours.iter().zip(1..) {
            for (name, value) in [("mu", &moments.mean), ("sigma", &moments.cov)] {
                if let Some(stored) = sets.arrays.get(&format!("{name}{i}")) {
                    close(value, &values(stored), 1e-9)
                        .unwrap_or_else(|e| panic!("{} {name}{i}: {e}", case.name));
                }
            }
        }
        let [a, b] = &ours;
        let reference = Reference::new(b).unwrap();
        let resampler = reference.resampler(&sets.generated, sets.d).unwrap();
        let once = vec![1; resampler.rows()];
        let all = [
            ("frechet", frechet(a, b).unwrap()),
            ("reference", reference.distance(a).unwrap()),
            (
                "resampler",
                resampler
                    .distance(&once, &mut resampler.workspace())
                    .unwrap(),
            ),
        ];
        let stored = number(&case, "frechet_exact");
        let thin = a.n.min(b.n) <= sets.d;
        for (what, value) in all {
            if thin {
                let truth = from_features(&sets, a, b);
                check(&case, &format!("{what}, from features"), value, truth, 1e-9);
                check(&case, what, value, stored, thin_rounding(a, b) / stored);
            } else {
                check(&case, what, value, stored, 1e-9);
            }
        }
    }
}

/// The distance with the root's trace as the sum of singular values of the centred features'
/// products: no covariance is formed, so no zero eigenvalue is rounded.
fn from_features(sets: &Sets, a: &Moments, b: &Moments) -> f64 {
    let d = sets.d;
    let centred = |rows: &[f32], m: &Moments| {
        let root = ((m.n - 1) as f64).sqrt();
        Mat::from_fn(d, m.n, |j, i| {
            (f64::from(rows[i * d + j]) - m.mean[j]) / root
        })
    };
    let x = centred(&sets.generated, a);
    let y = centred(&sets.real, b);
    let roots: f64 = (x.transpose() * &y).singular_values().unwrap().iter().sum();
    let gap: f64 = a
        .mean
        .iter()
        .zip(&b.mean)
        .map(|(p, q)| (p - q).powi(2))
        .sum();
    gap + x.squared_norm_l2() + y.squared_norm_l2() - 2.0 * roots
}

/// What rounding does to a stored distance of fewer rows than features: its covariances' product
/// has zero eigenvalues that come out as large as machine epsilon times the largest, and the
/// stored sum holds the square roots of the positive ones (on average half).
fn thin_rounding(a: &Moments, b: &Moments) -> f64 {
    let d = a.dim();
    let zeros = (d + 1 - a.n.min(b.n)) as f64;
    let largest = |m: &Moments| {
        let values = m.matrix().self_adjoint_eigenvalues(faer::Side::Lower);
        *values.unwrap().last().unwrap()
    };
    2.0 * (zeros / 2.0) * (f64::EPSILON * largest(a) * largest(b)).sqrt()
}
