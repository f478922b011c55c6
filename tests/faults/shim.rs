//! The library between the program and the C library, `shim.c`, built once for all tests.

use crate::study::Study;
use crate::support::program::{Runner, repository};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Its path; None where there is no C compiler that makes one, which the test says.
pub fn shim() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shim.so");
    let aside = out.with_extension(format!("{}.so", std::process::id()));
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&aside, &repository("tests/faults/shim.c")])
        .arg("-ldl")
        .output();
    match made {
        Ok(made) if made.status.success() => {
            std::fs::rename(&aside, &out).expect("the library");
            Some(out)
        }
        Ok(made) => {
            // Where LD_PRELOAD is no word, as on macOS, nothing of this can be tested.
            println!("skipped: {}", String::from_utf8_lossy(&made.stderr));
            None
        }
        Err(error) => {
            println!("skipped: no C compiler `cc` ({error})");
            None
        }
    }
}

/// A call of the program with the library before it.
pub fn with_shim(study: &Study, shim: &Path, settings: &[(&str, String)], call: &[&str]) -> Runner {
    let runner = study.runner(call).env("LD_PRELOAD", shim);
    let set = |runner: Runner, (name, value): &(&str, String)| runner.env(name, value);
    settings.iter().fold(runner, set)
}
