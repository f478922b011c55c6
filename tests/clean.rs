//! `runner clean` and what `score`, `likelihood` and `reconstruct` keep: it stays until it is asked for.

use std::path::Path;
use std::process::Command;

const EXPERIMENT: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1e-3\n";

/// What `runner clean a.toml` with these flags says on stdout and on stderr.
fn clean(folder: &Path, flags: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command.args(["clean", "a.toml"]).args(flags);
    let done = command
        .current_dir(folder)
        .env_remove("RUNNER_STORE")
        .output();
    let done = done.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, error) = (text(done.stdout), text(done.stderr));
    assert!(done.status.success(), "{error}");
    (out, error)
}

#[test]
fn answers_stay_until_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.toml"), EXPERIMENT).unwrap();
    let described = folder.path().join(".runner/described/0123");
    std::fs::create_dir_all(&described).unwrap();
    std::fs::write(described.join("part.npz"), [0; 2048]).unwrap();
    let (out, error) = clean(folder.path(), &[]);
    assert!(out.starts_with("nothing to free"), "{out}");
    let said = "answers of `score`, `likelihood` and `reconstruct` stay";
    assert!(error.contains(said), "{error}");
    let (out, _) = clean(folder.path(), &["--answers"]);
    assert!(
        out.contains("described  0123") && out.contains("runner score"),
        "{out}"
    );
    assert!(described.exists(), "nothing goes before --yes");
    clean(folder.path(), &["--answers", "--yes"]);
    assert!(!described.exists());
}
