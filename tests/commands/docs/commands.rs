//! Every command of the pages: all are parsed as the shell passes them, and all are run but those that need the network, a
//! GPU, hours, or files of the reader's own, which stand in a list with the reason.

use super::pages::all;
use super::scratch::Scratch;
use clap::Parser;
use fidrunner::cli::args::Cli;
use fidrunner::experiment::catalogue;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What is parsed and not run: a part of the command, and why.
const PARSED: [(&str, &str); 11] = [
    (
        "runner gallery ",
        "another test compares its page with the one here",
    ),
    (" --detect", "needs the rows of a sweep"),
    ("runner fetch ", "needs the network"),
    ("cuda:", "needs a GPU"),
    (" --slurm", "needs a cluster"),
    ("mine.toml", "needs a checkpoint of the reader's own"),
    (
        "pets-classifier.toml",
        "needs the reader's images; its file is read by another test",
    ),
    ("img512.pkl", "needs EDM2's published file"),
    (" --profile", "a plan has none, and other tests run it"),
    ("/shared/", "needs a shared file system"),
    (
        "runner sweep ",
        "takes minutes: the same file and options are planned",
    ),
];

/// Commands of other programs that the pages may show.
const OTHERS: [&str; 10] = [
    "cargo ",
    "docker ",
    "git clone ",
    "mkdir ",
    "mv ",
    "pip install ",
    "podman ",
    "python ",
    "python3 ",
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
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(is_name)
}

fn why_not(line: &str) -> Option<&'static str> {
    let listed = PARSED.iter().find(|(part, _)| line.contains(part));
    listed.map(|(_, why)| *why)
}

fn parse(words: &[String]) -> Result<(), String> {
    match Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == 0 => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// What a sweep would run, by the words of its command.
fn planned(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words[1] = "plan".to_string();
    words
}

/// Runs a line as the shell would; what it prints goes where the line sends it.
fn run(scratch: &Scratch, line: &str, words: &[String]) -> Result<(), String> {
    let answer = scratch.call(words);
    if answer.code != Some(0) {
        return Err(format!(
            "{:?}\n{}{}",
            answer.code, answer.stdout, answer.stderr
        ));
    }
    if let Some((_, file)) = line.split_once(" > ") {
        fs::write(scratch.path(file.trim()), &answer.stdout).unwrap();
    }
    Ok(())
}

fn check(scratch: &Scratch, line: &str, ran: &mut BTreeSet<String>) -> Result<(), String> {
    let Some(line) = call(line) else {
        return other(line);
    };
    let words = scratch.words(&line);
    // Where a form has the number of a cell, any number will do.
    let with_numbers = words.iter().map(|word| word.replace("CELL", "0"));
    parse(&with_numbers.collect::<Vec<_>>())?;
    if words[1] == "fetch" {
        for name in words[2..].iter().filter(|word| !word.starts_with('-')) {
            catalogue::find(name).map_err(|error| error.to_string())?;
        }
    }
    if is_form(&line) || !ran.insert(line.clone()) {
        return Ok(());
    }
    match why_not(&line) {
        None => run(scratch, &line, &words),
        Some(_) if words[1] == "sweep" && why_not(&line.replace("runner sweep ", "")).is_none() => {
            run(scratch, &line, &planned(&words))
        }
        Some(_) => Ok(()),
    }
}

/// A line of another program: one of a few, and what it names of this repository is there.
fn other(line: &str) -> Result<(), String> {
    let known = OTHERS.iter().any(|known| line.starts_with(known)) || line.contains("cargo bench");
    let cargo = fs::read_to_string("Cargo.toml").unwrap();
    let there = |pair: &[&str]| match pair {
        ["--bench", name] => cargo.contains(&format!("name = \"{name}\"")),
        ["--test", name] => Path::new("tests").join(name).join("main.rs").exists(),
        [_, path] if path.starts_with("benches/") => Path::new(path).exists(),
        _ => true,
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    if known && words.windows(2).all(there) {
        Ok(())
    } else {
        Err("an unknown program, or what it names is not there".to_string())
    }
}

#[test]
fn every_command_of_the_pages_is_run_or_parsed() {
    let scratch = Scratch::new();
    scratch.draw_first_cell();
    let (mut ran, mut failed) = (BTreeSet::new(), Vec::new());
    for page in all() {
        for line in page.commands() {
            if let Err(error) = check(&scratch, &line, &mut ran) {
                failed.push(format!("{}: {line}\n{error}", page.path.display()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(ran.len() > 50, "{} commands are found", ran.len());
    let listed = |part: &str| ran.iter().any(|line| line.contains(part));
    for (part, why) in PARSED {
        assert!(listed(part), "`{part}` ({why}) is in no command any more");
    }
}
