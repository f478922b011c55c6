//! The files that containers are built by: what they copy is there, and nothing that a build needs is left out.

use super::text;
use crate::support::program::repository;

const FILES: [&str; 2] = [
    "containers/Containerfile.cpu",
    "containers/Containerfile.cuda",
];

/// The instructions of a file in order, each with its arguments; lines that a backslash joins are one.
fn instructions(file: &str) -> Vec<(String, Vec<String>)> {
    let text = text(&repository(file));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim().is_empty());
    let words = lines.map(|line| {
        let mut words = line.split_whitespace().map(String::from);
        (words.next().expect("an instruction"), words.collect())
    });
    words.collect()
}

/// What is copied from the checkout, without the places where it is put.
fn copied(file: &str) -> Vec<String> {
    let mut sources = Vec::new();
    for (name, words) in instructions(file) {
        let from_stage = words.iter().any(|word| word.starts_with("--from="));
        if name == "COPY" && !from_stage {
            let (_, from) = words.split_last().expect("a target");
            sources.extend_from_slice(from);
        }
    }
    assert!(sources.len() > 5, "{file}: {sources:?}");
    sources
}

/// Whether the build sees a path in spite of `.dockerignore`.
fn is_sent(path: &str) -> bool {
    let ignore = text(&repository(".dockerignore"));
    assert_eq!(
        ignore.lines().nth(1),
        Some("*"),
        "everything is left out but what is named"
    );
    let mut kept = ignore.lines().filter_map(|line| line.strip_prefix('!'));
    kept.any(|kept| {
        let of_folder = kept
            .split_once("/*")
            .is_some_and(|(folder, _)| folder == path);
        of_folder || path == kept || path.starts_with(&format!("{kept}/"))
    })
}

#[test]
fn what_is_copied_is_there_and_reaches_the_build() {
    for file in FILES {
        for source in copied(file) {
            assert!(repository(&source).exists(), "{file} copies {source}");
            assert!(is_sent(&source), "{source} is left out by .dockerignore");
        }
    }
    assert!(!is_sent("target") && !is_sent("reports") && !is_sent(".git"));
}

#[test]
fn what_the_build_needs_is_copied() {
    let cargo: toml::Table = toml::from_str(&text(&repository("Cargo.toml"))).unwrap();
    let mut needed = vec![String::from("Cargo.lock"), String::from("src")];
    for bench in cargo["bench"].as_array().unwrap() {
        needed.push(format!("benches/{}.rs", bench["name"].as_str().unwrap()));
    }
    for test in cargo["test"].as_array().unwrap() {
        needed.push(test["path"].as_str().unwrap().to_string());
    }
    // Documentation of the library takes its examples from there.
    needed.push(String::from("examples/fid_of_two_folders.rs"));
    needed.extend(["experiments", "reference_stats", "examples/any_model"].map(String::from));
    for file in FILES {
        let copied = copied(file);
        for path in &needed {
            let holds = |one: &String| path == one || path.starts_with(&format!("{one}/"));
            assert!(copied.iter().any(holds), "{file} does not copy {path}");
        }
        let shipped: Vec<String> = instructions(file)
            .into_iter()
            .filter(|(name, _)| name == "COPY")
            .filter_map(|(_, words)| words.last().cloned())
            .filter(|target| target.starts_with("/usr/local/share/fidrunner/"))
            .collect();
        let want = ["experiments", "reference_stats", "examples/any_model"];
        assert_eq!(
            shipped,
            want.map(|name| format!("/usr/local/share/fidrunner/{name}"))
        );
    }
}

#[test]
fn images_are_built_from_the_lock_file_and_run_the_program_as_a_user() {
    let cargo: toml::Table = toml::from_str(&text(&repository("Cargo.toml"))).unwrap();
    let version = cargo["package"]["rust-version"].as_str().unwrap();
    for file in FILES {
        let all = instructions(file);
        let last = |name: &str| {
            let found = all.iter().rfind(|(one, _)| one == name);
            found.map(|(_, words)| words.join(" ")).unwrap_or_default()
        };
        assert!(
            all.contains(&("ARG".into(), vec![format!("RUST_VERSION={version}")])),
            "{file}"
        );
        let built = all
            .iter()
            .find(|(name, words)| name == "RUN" && words[0] == "cargo");
        let built = built.map(|(_, words)| words.join(" ")).unwrap_or_default();
        assert!(
            built.starts_with("cargo build --locked --release "),
            "{file}: {built}"
        );
        assert_eq!(
            built.contains("--features cuda"),
            file.ends_with("cuda"),
            "{file}"
        );
        assert_eq!(last("ENTRYPOINT"), "[\"runner\"]", "{file}");
        let user = last("USER");
        assert!(
            user.split(':')
                .all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)),
            "{user}"
        );
        let stages: Vec<&String> = all
            .iter()
            .filter(|(name, words)| name == "FROM" && words.len() == 3 && words[1] == "AS")
            .map(|(_, words)| &words[2])
            .collect();
        for (_, words) in all.iter().filter(|(name, _)| name == "COPY") {
            if let Some(stage) = words[0].strip_prefix("--from=") {
                assert!(stages.iter().any(|one| *one == stage), "{file}: {stage}");
            }
        }
        assert!(
            !last("FROM").contains(" AS "),
            "{file}: what is run is the last stage"
        );
    }
}
