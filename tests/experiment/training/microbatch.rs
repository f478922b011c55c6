//! How many images of a batch may go through a net at once.

use super::{FILE, key_of, of_kind};

#[test]
fn parts_of_a_batch_tell_trainings_apart_and_the_whole_one_is_the_default() {
    let key = |set: &[&str]| key_of(FILE, set).unwrap();
    let plain = key(&[]);
    assert_eq!(key(&["train.microbatch=8"]), plain);
    let [three, four] = [3, 4].map(|n| key(&[&format!("train.microbatch={n}")]));
    assert!(plain != three && plain != four && three != four);
    assert!(key_of(&of_kind("features"), &["train.microbatch=3"]).is_ok());
}

#[test]
fn no_images_and_more_than_a_batch_has_are_refused() {
    let refused = |n: usize| key_of(FILE, &[&format!("train.microbatch={n}")]).unwrap_err();
    assert!(
        refused(0).contains("train.microbatch = 0"),
        "{}",
        refused(0)
    );
    let more = "train.microbatch = 9 is more than train.batch = 8, the images of a step\n\
        hint: take `microbatch` out: the whole batch then goes through the net at once";
    assert!(refused(9).ends_with(more), "{}", refused(9));
}
