//! What nets may be trained in.

use super::{FILE, key_of, of_kind};

#[test]
fn precision_tells_trainings_apart_and_the_default_is_f32() {
    let key = |set: &[&str]| key_of(FILE, set).unwrap();
    let plain = key(&[]);
    assert_eq!(key(&["train.dtype=\"f32\""]), plain);
    let [tf32, bf16] = ["tf32", "bf16"].map(|dtype| key(&[&format!("train.dtype=\"{dtype}\"")]));
    assert!(plain != tf32 && plain != bf16 && tf32 != bf16);
}

#[test]
fn what_is_not_trained_in_halves_is_refused() {
    let refused =
        |file: &str, dtype: &str| key_of(file, &[&format!("train.dtype=\"{dtype}\"")]).unwrap_err();
    let f16 = "train.dtype = \"f16\": nets are trained in \"f32\", \"tf32\" or \"bf16\"\n\
        hint: take \"bf16\", whose range needs no scaled losses; f16 is for drawing, as `sample.dtype`";
    assert!(refused(FILE, "f16").ends_with(f16));
    let features = "train.dtype = \"bf16\" is for nets of ADM's family, and [model] is a feature net\nhint: take it out";
    assert!(refused(&of_kind("features"), "bf16").ends_with(features));
    assert!(key_of(&of_kind("features"), &["train.dtype=\"tf32\""]).is_ok());
}
