//! Every command of the pages: all are parsed as the shell passes them, and all are run but those that need the network, a
//! GPU, hours, or files of the reader's own, which stand in a list with the reason.

use super::pages::{Page, all};
use super::scratch::Scratch;
use clap::Parser;
use fidrunner::cli::args::Cli;
use fidrunner::experiment::catalogue;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What is parsed and not run: a part of the command, and why.
const PARSED: [(&str, &str); 9] = [
    ("runner fetch ", "needs the network"),
    ("cuda:", "needs a GPU"),
    ("--watch", "ends when the reader ends it"),
    ("mine.toml", "needs a checkpoint of the reader's own"),
    (
        "pets-classifier.toml",
        "needs the reader's images; its file is read by another test",
    ),
    ("img512.pkl", "needs EDM2's published file"),
    ("/shared/", "needs a shared file system"),
    ("imagenet/train", "needs ImageNet"),
    (
        "runner sweep ",
        "takes minutes: the same file and options are planned",
    ),
];

/// Commands of other programs that the pages may show.
const OTHERS: [&str; 8] = [
    "cargo ",
    "pip install ",
    "git clone ",
    "mv ",
    "python ",
    "python3 ",
    "podman ",
    "target/release/runner ",
];

/// The call of the program in a line, where there is one.
fn call(line: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix("cargo run --release -- ") {
        return Some(format!("runner {rest}"));
    }
    line.starts_with("runner ").then(|| line.to_string())
}

/// Lines with a name in capitals show a form: they stand for any file.
fn is_form(line: &str) -> bool {
    let is_name = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
    line.split_whitespace().any(is_name)
}

fn why_not(line: &str) -> Option<&'static str> {
    let listed = PARSED.iter().find(|(part, _)| line.contains(part));
    listed.map(|(_, why)| *why)
}

fn parse(words: &[String], told: &str) {
    if let Err(error) = Cli::try_parse_from(words) {
        let shows = matches!(
            error.kind(),
            clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
        );
        assert!(shows, "{told}: {error}");
    }
}

/// What a sweep would run, by the words of its command.
fn planned(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words[1] = "plan".to_string();
    words
}

/// Runs a line as the shell would; what it prints goes where the line sends it.
fn run(scratch: &Scratch, line: &str, words: &[String], told: &str) {
    let answer = scratch.call(words);
    assert_eq!(
        answer.code,
        Some(0),
        "{told}\n{}{}",
        answer.stdout,
        answer.stderr
    );
    if let Some((_, file)) = line.split_once(" > ") {
        fs::write(scratch.path(file.trim()), &answer.stdout).unwrap();
    }
}

fn check(scratch: &Scratch, page: &Page, line: &str, ran: &mut BTreeSet<String>) {
    let told = format!("{}: {line}", page.path.display());
    let Some(line) = call(line) else {
        return other(line, &told);
    };
    let words = scratch.words(&line);
    parse(&words, &told);
    if words[1] == "fetch" {
        for name in words[2..].iter().filter(|word| !word.starts_with('-')) {
            catalogue::find(name).unwrap_or_else(|error| panic!("{told}: {error}"));
        }
    }
    if is_form(&line) || !ran.insert(line.clone()) {
        return;
    }
    match why_not(&line) {
        None => run(scratch, &line, &words, &told),
        Some(_) if words[1] == "sweep" && why_not(&line.replace("runner sweep ", "")).is_none() => {
            run(scratch, &line, &planned(&words), &told);
        }
        Some(_) => {}
    }
}

/// A line of another program: one of a few, and what it names of this repository is there.
fn other(line: &str, told: &str) {
    assert!(
        OTHERS.iter().any(|known| line.starts_with(known)) || line.contains("cargo bench"),
        "{told}"
    );
    let cargo = fs::read_to_string("Cargo.toml").unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    for pair in words.windows(2) {
        match pair {
            ["--bench", name] => assert!(cargo.contains(&format!("name = \"{name}\"")), "{told}"),
            ["--test", name] => {
                assert!(
                    Path::new("tests").join(name).join("main.rs").exists(),
                    "{told}"
                );
            }
            [_, path] if path.starts_with("benches/") => {
                assert!(Path::new(path).exists(), "{told}");
            }
            _ => {}
        }
    }
}

#[test]
fn every_command_of_the_pages_is_run_or_parsed() {
    let scratch = Scratch::new();
    scratch.draw_first_cell();
    let mut ran = BTreeSet::new();
    for page in all() {
        for line in page.commands() {
            check(&scratch, &page, &line, &mut ran);
        }
    }
    assert!(ran.len() > 50, "{} commands are found", ran.len());
    let listed = |part: &str| ran.iter().any(|line| line.contains(part));
    for (part, why) in PARSED {
        assert!(listed(part), "`{part}` ({why}) is in no command any more");
    }
}
