//! An experiment file in a folder of its own: where its relative paths lead, and the file that it starts from.

use crate::desk::{Desk, EXPERIMENT};

/// A desk whose experiment and files are in the folder `study`.
fn study() -> Desk {
    let desk = Desk::empty();
    std::fs::create_dir(desk.path("study")).unwrap();
    desk.write_files("study/");
    desk
}

fn keys(desk: &Desk, file: &str) -> Vec<String> {
    let lines = desk
        .runner(&["plan", file, "--json"])
        .succeeds()
        .json_lines();
    let keys = lines.iter().map(|line| line["key"].as_str().unwrap());
    keys.map(String::from).collect()
}

#[test]
fn a_path_leads_from_the_working_folder_or_from_the_files_own() {
    let desk = study();
    let own = keys(&desk, "study/a.toml");
    assert_eq!(own, keys(&Desk::new(), "a.toml"));
    let lines = desk
        .runner(&["plan", "study/a.toml", "--json"])
        .run()
        .json_lines();
    assert_eq!(lines[0]["spec"]["model"]["checkpoint"], "study/net.pt");
    // What is in the working folder comes first.
    desk.write_net("net.pt", "imagenet64", "module.");
    assert_ne!(own, keys(&desk, "study/a.toml"));
    let lines = desk
        .runner(&["plan", "study/a.toml", "--json"])
        .run()
        .json_lines();
    assert_eq!(lines[0]["spec"]["model"]["checkpoint"], "net.pt");
}

#[test]
fn both_places_are_named_where_neither_has_it() {
    let desk = study();
    std::fs::remove_file(desk.path("study/guide.pt")).unwrap();
    let root = desk.root().canonicalize().unwrap().display().to_string();
    desk.runner(&["plan", "study/a.toml"])
        .refuses()
        .says("study/a.toml: cell 1 (steps=25 scale=0.5): a file is missing: guidance.checkpoint = \"guide.pt\" cannot be read: reading guide.pt: No such file")
        .says(&format!(
            "hint: a relative path is taken from the working folder, {root}, and where nothing is there from the experiment file's own, {root}/study"
        ));
    desk.write_net("study/guide.pt", "imagenet64-classifier", "");
    let absolute = desk.path("gone.pt").display().to_string();
    let set = format!("model.checkpoint={absolute}");
    let told = desk.refused(&[
        "plan",
        "study/a.toml",
        "--set",
        &set,
        "--set",
        "grid.guidance.scale=[0]",
    ]);
    assert!(
        told.contains("cannot be read") && !told.contains("a relative path"),
        "{told}"
    );
}

#[test]
fn images_to_train_on_are_looked_for_in_both_places() {
    let desk = Desk::empty();
    std::fs::create_dir_all(desk.path("study/images/a")).unwrap();
    let text = "name = \"t\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"images\"\nsteps = 1\nbatch = 1\nlearning_rate = 1e-3\n";
    desk.write("study/t.toml", text);
    let lines = desk
        .runner(&["plan", "study/t.toml", "--json"])
        .succeeds()
        .json_lines();
    assert_eq!(lines[0]["spec"]["train"]["data"], "study/images");
    desk.write("study/t.toml", &text.replace("images", "gone"));
    desk.runner(&["sweep", "study/t.toml"])
        .refuses()
        .says("train.data = \"gone\" cannot be read")
        .says("hint: a relative path is taken from the working folder, ");
}

#[test]
fn a_file_that_starts_from_another_finds_the_files_of_both() {
    let desk = study();
    std::fs::create_dir(desk.path("more")).unwrap();
    desk.write_net("more/net.pt", "imagenet64", "module.");
    let own =
        "name = \"more\"\n[defaults]\nfrom = \"../study/a.toml\"\n[grid]\nguidance.scale = [1]\n";
    desk.write("more/b.toml", own);
    let lines = desk
        .runner(&["plan", "more/b.toml", "--json"])
        .succeeds()
        .json_lines();
    assert_eq!(lines.len(), 6);
    let spec = &lines[5]["spec"];
    assert_eq!(spec["model"]["checkpoint"], "more/net.pt");
    assert_eq!(spec["eval"]["reference"], "more/../study/reference.npz");
    desk.write(
        "study/a.toml",
        &EXPERIMENT.replace("steps = 25", "setps = 25"),
    );
    desk.runner(&["plan", "more/b.toml"])
        .refuses()
        .says("more/b.toml: [defaults] from = \"../study/a.toml\": TOML parse error at line 11, column 1")
        .says("hint: did you mean `steps`?");
}
