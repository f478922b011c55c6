//! The weight rule of the golden files, against numbers that the files themselves store.

use crate::support::golden::{cases, close, noise, values, weight};

#[test]
fn weights_stay_within_the_bounds_of_the_rule() {
    let conv = weight("", "a/conv.weight", &[4, 3, 3, 3]);
    let bound = (3.0f64 / 27.0).sqrt() as f32;
    assert_eq!(conv.len(), 108);
    assert!(conv.iter().all(|v| v.abs() <= bound) && conv.iter().any(|v| v.abs() > 0.8 * bound));
    let norm = weight("", "a/norm.weight", &[64]);
    assert!(norm.iter().all(|v| (0.9..=1.1).contains(v)));
    assert_eq!(weight("salt", "a/b", &[8]), weight("", "salta/b", &[8]));
}

#[test]
fn noise_makes_the_stored_rows_of_the_inception_score_case() {
    for case in cases("eval", "inception_score") {
        let rows = &case.arrays()["first_rows"];
        let (n, k) = rows.dims2().unwrap();
        let logits = noise(&case.salt, "is/logits", &[n, k]);
        let doubled: Vec<f64> = logits.iter().map(|&v| 2.0 * f64::from(v)).collect();
        close(&doubled, &values(rows), 1e-7).unwrap();
    }
}

#[test]
fn every_case_stores_the_arrays_it_lists() {
    for kind in ["unet", "classifier", "superres"] {
        for case in cases("models", kind) {
            let arrays = case.arrays();
            for name in case.value["arrays"].as_object().unwrap().keys() {
                assert!(arrays.contains_key(name), "{} lacks {name}", case.name);
            }
        }
    }
}
