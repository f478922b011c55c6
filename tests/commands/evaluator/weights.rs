//! Which feature net is taken where none is named.

use super::world::{FEATURES, SHAPES32, scenes};
use crate::desk::Desk;
use crate::support::program::{Answer, shipped};
use std::fs;

/// A score whose weights nothing on the command line names. The cache is the desk's folder `runner`.
fn score(desk: &Desk, more: &[&str]) -> crate::support::program::Runner {
    let reference = shipped(SHAPES32);
    let call = desk.runner(&["score", "out", "--reference", &reference]);
    call.args(["--metrics", "fd", "--json"]).args(more)
}

fn fetched(desk: &Desk, name: &str) -> String {
    fs::create_dir_all(desk.path("runner")).unwrap();
    // A net of another kind under the file's name: its order in the cache is what is looked at.
    fs::copy(shipped(FEATURES), desk.path(&format!("runner/{name}"))).unwrap();
    desk.path(&format!("runner/{name}")).display().to_string()
}

#[test]
fn the_fetched_inception_is_taken_where_no_weights_are_named_and_that_is_said() {
    let desk = Desk::empty();
    scenes(&desk, "out", 0..20, 32);
    let missing = |answer: Answer| {
        answer
            .says("error: a feature net is needed: neither --weights nor RUNNER_WEIGHTS names one, and no Inception is in the cache\n")
            .says("hint: `runner fetch inception` gets Inception's weights, which are then found by themselves");
    };
    missing(score(&desk, &[]).refuses());
    missing(
        desk.runner(&["reference", "out", "--out", "a.npz"])
            .refuses(),
    );
    // Without a home there is no cache to look into.
    let homeless = score(&desk, &[]).env("HOME", "").env("XDG_CACHE_HOME", "");
    missing(homeless.refuses());
    let last = fetched(&desk, "classify_image_graph_def.pb");
    let said = score(&desk, &[]).succeeds();
    let whole = said.stdout.clone();
    said.says(&format!(
        "no --weights: fetch:inception-tensorflow is taken, {last}\n"
    ));
    let second = fetched(&desk, "inception-2015-12-05.pt");
    let said = score(&desk, &[]).succeeds();
    said.says(&format!(
        "no --weights: fetch:inception-torchscript is taken, {second}\n"
    ));
    let first = fetched(&desk, "pt_inception-2015-12-05-6726825d.pth");
    let said = score(&desk, &[]).succeeds();
    assert_eq!(said.stdout, whole);
    let line = format!("no --weights: fetch:inception is taken, {first}\n");
    said.says(&line);
    let made = ["reference", "out", "--out", "a.npz", "--resolution", "32"];
    let made = desk.runner(&made).args(["--count", "20"]);
    made.succeeds().says(&line);
    // What is named comes first, on the command line before the variable.
    let named = score(&desk, &[]).env("RUNNER_WEIGHTS", shipped(FEATURES));
    assert!(!named.succeeds().stderr.contains("no --weights"));
    let named = score(&desk, &["--weights", "nowhere.pth"]);
    let named = named.env("RUNNER_WEIGHTS", shipped(FEATURES)).refuses();
    named.says("--weights nowhere.pth: there is no such file");
    let elsewhere = score(&desk, &["--cache", "elsewhere"]);
    missing(elsewhere.refuses());
}
