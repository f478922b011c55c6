//! The cards that a program may be given, found without CUDA in this build.

use crate::process::command::{Command, Ended, GRACE, run};
use crate::process::environment::basic;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Cards as `CUDA_VISIBLE_DEVICES` writes them: those that it names where it is set, else all that `nvidia-smi` lists.
/// Asked once a process.
pub fn visible() -> &'static [String] {
    static FOUND: OnceLock<Vec<String>> = OnceLock::new();
    FOUND.get_or_init(|| match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(named) => of_variable(&named),
        Err(_) => of_listing(&listing()),
    })
}

/// CUDA reads up to the first entry that is none, and `-1` is none.
fn of_variable(text: &str) -> Vec<String> {
    let entries = text.split(',').map(str::trim);
    let named = entries.take_while(|entry| !entry.is_empty() && !entry.starts_with('-'));
    named.map(String::from).collect()
}

fn of_listing(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let numbers = lines.filter(|line| line.parse::<u32>().is_ok());
    numbers.map(String::from).collect()
}

/// What `nvidia-smi` prints, a card a line; nothing where it is not there or does not answer.
fn listing() -> String {
    let argv = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"];
    let argv = argv.map(String::from);
    let command = Command {
        argv: &argv,
        folder: Path::new("."),
        environment: basic(),
        keep_open: Vec::new(),
        timeout: Some(Duration::from_secs(10)),
        grace: GRACE,
        record: None,
    };
    match run(&command, &|_, _| {}, &mut || {}, &AtomicBool::new(false)) {
        Ok(finished) if finished.ended == Ended::Exited(0) => finished.output.join("\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{of_listing, of_variable};

    #[test]
    fn cards_are_those_that_cuda_would_see() {
        assert_eq!(of_variable("2, 3"), ["2", "3"]);
        assert_eq!(of_variable("GPU-6f1c,MIG-2"), ["GPU-6f1c", "MIG-2"]);
        assert_eq!(of_variable("0,-1,1"), ["0"]);
        assert!(of_variable("").is_empty());
        assert_eq!(of_listing("0\n1\n"), ["0", "1"]);
        assert!(of_listing("No devices were found").is_empty());
    }
}
