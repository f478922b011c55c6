//! Texts of people and of other programs: durations, GPUs, variables.

use fidrunner::experiment::external::duration;
use fidrunner::process::environment;
use fidrunner::process::gpus::{Card, among, cards, name_among};
use std::time::Duration;

#[test]
fn durations_are_read_as_people_write_them() {
    let cases = [
        ("90s", 90),
        ("4h", 14_400),
        ("1h 30m", 5_400),
        ("1h30m", 5_400),
        ("2d", 172_800),
        ("1 day 2 hours", 93_600),
        ("1w", 604_800),
        (" 45 minutes ", 2_700),
    ];
    for (text, seconds) in cases {
        assert_eq!(
            duration::parse(text).unwrap(),
            Duration::from_secs(seconds),
            "{text}"
        );
    }
    assert_eq!(
        duration::parse("1.5s").unwrap(),
        Duration::from_millis(1500)
    );
}

#[test]
fn what_is_no_duration_is_refused_in_words() {
    for (text, part) in [
        ("4", "\"4\" is not a duration"),
        ("", "\"\" is not a duration"),
        ("soon", "\"soon\" is not a duration"),
        ("99999999999999999999h", "is not a duration"),
        ("1 month", "counts months or years"),
        ("0s", "is no time at all"),
        ("-3h", "is no time at all"),
        ("3h ago", "is no time at all"),
    ] {
        let said = format!("{:#}", duration::parse(text).unwrap_err());
        assert!(
            said.contains(part) && said.contains("\nhint: "),
            "{text}: {said}"
        );
    }
}

fn two_cards() -> Vec<Card> {
    cards("0, GPU-11aa\nNo devices were found\n1, GPU-22bb\n")
}

#[test]
fn gpus_are_those_that_the_user_lets_see_or_all() {
    let found = two_cards();
    assert_eq!(found.len(), 2);
    let cases: [(Option<&str>, &[&str]); 9] = [
        (None, &["0", "1"]),
        (Some("1"), &["1"]),
        (Some("1, 0"), &["1", "0"]),
        (Some("1,1"), &["1"]),
        (Some(""), &[]),
        (Some("-1"), &[]),
        (Some("0,-1,1"), &["0"]),
        (Some("0,5,1"), &["0"]),
        (Some("GPU-22,MIG-3"), &["GPU-22", "MIG-3"]),
    ];
    for (variable, expected) in cases {
        assert_eq!(among(variable, &found), expected, "{variable:?}");
    }
    assert_eq!(among(None, &[]), [""; 0]);
    assert_eq!(among(Some("0,5"), &[]), ["0", "5"]);
    assert_eq!(among(Some("NoDevFiles"), &[]), [""; 0]);
}

#[test]
fn one_card_has_one_lock_by_whatever_name() {
    let found = two_cards();
    for name in ["1", "GPU-22bb", "GPU-22"] {
        assert_eq!(name_among(name, &found), "cuda-GPU-22bb");
    }
    assert_eq!(name_among("1", &[]), "cuda-1");
    assert_eq!(name_among("GPU-", &found), "cuda-GPU-");
    assert_eq!(
        name_among("MIG-GPU-22bb/1/0", &found),
        "cuda-MIG-GPU-22bb-1-0"
    );
}

#[test]
fn the_basic_environment_holds_the_path_and_nothing_unnamed() {
    let found = environment::basic();
    let path = found.iter().find(|(name, _)| name == "PATH").unwrap();
    assert_eq!(Some(path.1.clone()), std::env::var_os("PATH"));
    // cargo sets this for its tests.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(found.iter().all(|(name, _)| name != "CARGO_MANIFEST_DIR"));
    let found = environment::named(&["CARGO_MANIFEST_DIR", "CARGO_PKG_NAM*"]);
    let names: Vec<_> = found
        .iter()
        .map(|(name, _)| name.to_str().unwrap())
        .collect();
    assert_eq!(names, ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"]);
}
