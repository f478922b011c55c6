//! The metrics room against the reference programs' answers in golden/eval.

use crate::support::golden::{Case, cases, close, golden, json, kept, noise, values};
use candle_core::Tensor;
use faer::Mat;
use fidrunner::metrics::frechet::distance::{Reference, compat, frechet};
use fidrunner::metrics::frechet::moments::Moments;
use fidrunner::metrics::inception_score::{Probabilities, Splits, inception_score};
use fidrunner::metrics::kernel::mmd::{KidRule, kid, mmd2};
use fidrunner::metrics::neighbours::adm_manifold::adm_precision_recall;
use fidrunner::metrics::neighbours::manifold::{Border, Manifold};
use fidrunner::metrics::rows::Slice;
use serde_json::Value;
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
                let name = recipe["name"].as_str().unwrap();
                let family = name.split('.').next().unwrap();
                let z = noise(&case.salt, &format!("{name}.{letter}/z"), &[n, d]);
                let mix = noise(&case.salt, &format!("{family}/mix"), &[d, d]);
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
                    close(&kept(value, stored.elem_count()), &values(stored), 1e-9)
                        .unwrap_or_else(|e| panic!("{} {name}{i}: {e}", case.name));
                }
            }
        }
        let [a, b] = &ours;
        let reference = Reference::new(b).unwrap();
        let mut rows = Slice::of(&sets.generated, sets.d).unwrap();
        let all = [
            ("frechet", frechet(a, b).unwrap()),
            ("turned round", frechet(b, a).unwrap()),
            ("reference", reference.distance(a).unwrap()),
            ("compat", compat(a, b).unwrap().exact),
            (
                "left out",
                reference.left_out(a, &mut rows).unwrap().value(),
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

#[test]
fn what_scipy_programs_print_is_the_exact_distance_up_to_their_rounding() {
    for case in cases("eval", "metrics") {
        let sets = Sets::of(&case);
        let [a, b] = [&sets.generated, &sets.real].map(|rows| Moments::of(rows, sets.d).unwrap());
        let both = compat(&a, &b).unwrap();
        assert_eq!(both.singular, a.n.min(b.n) <= sets.d, "{}", case.name);
        let theirs = number(&case, "frechet_pytorch_fid");
        let allowed = if both.singular {
            thin_rounding(&a, &b) / theirs
        } else {
            1e-9
        };
        check(&case, "compat", both.exact, theirs, allowed);
    }
}

#[test]
fn precision_recall_density_and_coverage_agree_with_the_counts_of_the_references() {
    for case in cases("eval", "metrics") {
        let sets = Sets::of(&case);
        let overlap = |k, border| {
            let of = |rows| Manifold::of(rows, sets.d, k).unwrap();
            of(&sets.real)
                .overlap(&of(&sets.generated), border)
                .unwrap()
        };
        // The reference averages in f32, so the last of its digits differ; a count never may.
        let le = overlap(3, Border::Inside);
        let theirs = number(&case, "precision_k3_le");
        check(&case, "precision", le.precision().value, theirs, 1e-7);
        let theirs = number(&case, "recall_k3_le");
        check(&case, "recall", le.recall().value, theirs, 1e-7);

        let strict = overlap(5, Border::Outside);
        for (name, ours) in [
            ("precision", strict.precision().value),
            ("recall", strict.recall().value),
            ("density", strict.density().value()),
            ("coverage", strict.coverage().value()),
        ] {
            let theirs = case.value["prdc_k5_strict"][name].as_f64().unwrap();
            check(&case, &format!("strict {name}"), ours, theirs, 1e-9);
        }
    }
}

/// Answers of the programs themselves on the same features; `dialects.py` beside them made them. Only the repository's
/// folder has them.
#[test]
fn each_programs_own_rule_gives_its_own_number() {
    let name = "eval/dialects.json";
    if std::env::var_os("RUNNER_GOLDEN").is_some() && !golden(name).exists() {
        eprintln!("skipped: RUNNER_GOLDEN has no {name}, which only tests/golden holds");
        return;
    }
    let stored = json(name);
    for case in cases("eval", "metrics") {
        each_tools_kernel_and_manifold(&case, &stored[&case.name]);
    }
    let answers = &stored["inception_score"];
    for case in cases("eval", "inception_score") {
        let probabilities = logits(&case);
        let ours = inception_score(&probabilities, Splits::DGM_EVAL).unwrap();
        let of = |field: &str| answers[field].as_f64().unwrap();
        check(&case, "dgm-eval", ours.mean, of("dgm_eval_mean"), 1e-9);
        check(&case, "its std", ours.std, of("dgm_eval_std"), 1e-9);
    }
}

fn each_tools_kernel_and_manifold(case: &Case, answers: &Value) {
    let sets = Sets::of(case);
    let of = |field: &str| {
        let value = answers[field].as_f64();
        value.unwrap_or_else(|| panic!("{} has no {field}", case.name))
    };
    let (x, y) = (&sets.generated, &sets.real);
    let fidelity = KidRule::TorchFidelity {
        subsets: 100,
        size: of("size") as usize,
        seed: 2020,
    };
    let clean = KidRule::CleanFid {
        subsets: 100,
        size: 1000,
        seed: 2020,
    };
    let same = |what: &str, ours: f64, field: &str| check(case, what, ours, of(field), 1e-9);
    let ours = kid(x, y, sets.d, fidelity).unwrap();
    same(
        "KID of torch-fidelity",
        ours.mean,
        "kid_torch_fidelity_mean",
    );
    same("its std", ours.std, "kid_torch_fidelity_std");
    let ours = kid(x, y, sets.d, clean).unwrap();
    same("KID of clean-fid", ours.mean, "kid_clean_fid");
    let adm = adm_precision_recall(y, x, sets.d).unwrap();
    // NumPy adds its f32 sums in another order, so that a few distances round to the next f16.
    let off = |ours: f64, theirs: f64, n: usize| ((ours - theirs) * n as f64).abs();
    assert!(off(adm.precision().value, of("adm_precision"), x.len() / sets.d) < 2.5);
    assert!(off(adm.recall().value, of("adm_recall"), y.len() / sets.d) < 2.5);
}

/// The class probabilities that an Inception Score case's recipe makes.
fn logits(case: &Case) -> Probabilities {
    let sizes = numbers(case.text("recipe"));
    let [.., n, k, _f64] = sizes[..] else {
        panic!("a recipe without sizes: {}", case.text("recipe"))
    };
    let logits: Vec<f64> = noise(&case.salt, "is/logits", &[n, k])
        .into_iter()
        .map(|v| 2.0 * f64::from(v))
        .collect();
    Probabilities::of_logits_f64(&logits, k).unwrap()
}

#[test]
fn kernel_distances_agree_on_the_first_rows() {
    for case in cases("eval", "metrics") {
        let sets = Sets::of(&case);
        let m = case.value["kid_m"].as_u64().unwrap() as usize * sets.d;
        let ours = mmd2(&sets.generated[..m], &sets.real[..m], sets.d).unwrap();
        let theirs = number(&case, "kid_unbiased_first_m");
        check(&case, "kernel distance", ours, theirs, 1e-9);
    }
}

#[test]
fn inception_scores_agree_under_both_rules_of_splits() {
    for case in cases("eval", "inception_score") {
        let probabilities = logits(&case);
        for (field, stored) in case.value.as_object().unwrap() {
            let of = |splits| inception_score(&probabilities, splits).unwrap();
            match numbers(field)[..] {
                [size] if field.starts_with("adm_split_") => {
                    let ours = of(Splits::Of(size)).mean;
                    check(&case, field, ours, stored.as_f64().unwrap(), 1e-9);
                }
                [splits, seed] if field.starts_with("torch_fidelity_") => {
                    let ours = of(Splits::ShuffledInto(splits, seed as u32));
                    let number = |name: &str| stored[name].as_f64().unwrap();
                    let mean = number("inception_score_mean");
                    check(&case, field, ours.mean, mean, 1e-9);
                    check(&case, field, ours.std, number("inception_score_std"), 1e-9);
                }
                _ => {}
            }
        }
    }
}

/// The whole numbers in a text, in order.
fn numbers(text: &str) -> Vec<usize> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}
