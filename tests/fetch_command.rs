//! `runner fetch` and what other commands say of files that are not here yet.

use std::path::Path;
use std::process::Command;

fn runner(folder: &Path, args: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(args)
        .current_dir(folder)
        .env_remove("RUNNER_STORE")
        .env_remove("RUNNER_CACHE")
        .env("XDG_CACHE_HOME", folder)
        .output()
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code(),
    )
}

#[test]
fn the_list_tells_what_is_here_and_a_wrong_name_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("runner");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(cache.join("64x64_classifier.pt.part"), [0; 2000]).unwrap();
    let (list, _, code) = runner(folder.path(), &["fetch", "--list"]);
    assert_eq!(code, Some(0));
    let line = |name: &str| {
        list.lines()
            .find(|line| line.trim().starts_with(name))
            .unwrap()
    };
    assert!(line("imagenet64-classifier ").contains("2.0 kB so far"));
    assert!(line("imagenet256-uncond ").contains("  2.2 GB "), "{list}");
    assert!(
        line("imagenet64-samples-adm ").contains("about 614.4 MB"),
        "{list}"
    );
    let (_, error, code) = runner(folder.path(), &["fetch", "imagenet65"]);
    assert_eq!(code, Some(2));
    assert!(
        error.starts_with("error: there is nothing to fetch by the name `imagenet65`\n\nhint: perhaps imagenet64, "),
        "{error}"
    );
    assert_eq!(runner(folder.path(), &["fetch"]).2, Some(2));
}

#[test]
fn a_plan_of_what_is_not_here_says_what_to_fetch_and_a_sweep_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = \"a\"\n[model]\npreset = \"imagenet64\"\ncheckpoint = \"fetch:imagenet64\"\n\
        [sample]\nsteps = 250\ncount = 100\n[eval]\nfeatures = \"inception\"\nweights = \"fetch:inception\"\n\
        reference = \"fetch:imagenet64-reference\"\nmetrics = [\"fid\"]\n";
    std::fs::write(folder.path().join("a.toml"), text).unwrap();
    let (plan, hint, code) = runner(folder.path(), &["plan", "a.toml"]);
    assert_eq!(code, Some(0), "{hint}");
    let fetch = "hint: runner fetch imagenet64 inception imagenet64-reference\n";
    assert!(plan.contains("not here yet: 1.5 GB to fetch"), "{plan}");
    assert!(hint.ends_with(fetch), "{hint}");
    let (_, error, code) = runner(folder.path(), &["sweep", "a.toml", "--device", "cpu"]);
    assert_eq!(code, Some(2));
    assert_eq!(
        error,
        format!("error: not in the cache: imagenet64, inception, imagenet64-reference\n\n{fetch}")
    );
    let (_, error, _) = runner(folder.path(), &["clean", "a.toml"]);
    assert!(error.contains("not in the cache"), "{error}");
    let (_, error, _) = runner(
        folder.path(),
        &[
            "score",
            "a",
            "--reference",
            "b",
            "--weights",
            "fetch:inception",
        ],
    );
    assert_eq!(
        error,
        "error: not in the cache: inception\n\nhint: runner fetch inception\n"
    );
    // What is there is named by its bytes.
    std::fs::create_dir(folder.path().join("runner")).unwrap();
    std::fs::write(folder.path().join("runner/64x64_diffusion.pt"), "weights").unwrap();
    let (plan, hint, _) = runner(folder.path(), &["plan", "a.toml"]);
    assert!(plan.contains("64x64_diffusion.pt  sha256 "), "{plan}");
    assert!(
        hint.ends_with("hint: runner fetch inception imagenet64-reference\n"),
        "{hint}"
    );
    let set = [
        "plan",
        "a.toml",
        "--set",
        "model.checkpoint=\"fetch:imagenet65\"",
    ];
    let (_, error, _) = runner(folder.path(), &set);
    assert!(
        error.contains("model.checkpoint = \"fetch:imagenet65\": there is nothing to fetch"),
        "{error}"
    );
    let set = [
        "plan",
        "a.toml",
        "--set",
        "model.checkpoint=64x64_diffusion.pt",
    ];
    let (_, error, _) = runner(folder.path(), &set);
    assert!(
        error.contains(
            "hint: `runner fetch imagenet64` gets it, and `fetch:imagenet64` is its path then"
        ),
        "{error}"
    );
}
