//! What is handed over to other programs: reports for TensorBoard, for model cards, for papers and for a gallery, and sets of images packed.

mod bundle;
mod events;
mod gallery;
mod model_card;
mod pack;
mod step;
mod study;
mod tensorboard;

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What a script of Python prints as JSON of a path; none, said, where there is no Python or `package` is not installed. The
/// script then prints `missing:` and why.
fn read_by_python(script: &str, path: &Path, package: &str) -> Option<Value> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let read = Command::new(&python)
        .args(["-c", script])
        .arg(path)
        .output();
    let Ok(read) = read else {
        println!("skipped: there is no {python}");
        return None;
    };
    let text = String::from_utf8(read.stdout).unwrap();
    if text.starts_with("missing:") {
        println!(
            "skipped: {python} has no package {package} ({})",
            text.trim()
        );
        return None;
    }
    let errors = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{errors}");
    println!("read by {package}: {text}");
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}")))
}
