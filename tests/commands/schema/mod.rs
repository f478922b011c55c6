//! `runner schema`: what it prints is what is committed, and the help of other verbs leads to it.

use crate::desk::Desk;
use std::path::Path;

fn committed(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_schema_and_the_page_are_printed_whole() {
    let desk = Desk::new();
    let schema = desk.runner(&["schema"]).succeeds().stdout;
    assert!(schema == committed("experiments/schema.json"));
    let page = desk.runner(&["schema", "--markdown"]).succeeds().stdout;
    assert!(page == committed("docs/keys.md"));
    desk.refused(&["schema", "a.toml"]);
}

#[test]
fn the_help_of_plan_and_sweep_names_both() {
    let desk = Desk::new();
    for verb in ["plan", "sweep"] {
        let help = desk.runner(&[verb, "--help"]).succeeds();
        help.prints("docs/keys.md, or `runner schema`");
    }
}
