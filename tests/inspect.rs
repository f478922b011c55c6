//! `runner inspect` names the container of a stranger's file and what lies in it.

mod golden_files;

use golden_files::golden;
use std::path::Path;
use std::process::Command;

/// Standard output and standard error of `runner inspect`.
fn inspect(path: &Path, more: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runner"))
        .arg("inspect")
        .arg(path)
        .args(more)
        .output()
        .unwrap();
    assert_eq!(output.status.success(), output.stderr.is_empty());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

fn stranger(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/strangers_files")
        .join(name)
}

#[test]
fn containers_are_named() {
    for (path, container) in [
        (golden("checkpoints/state.safetensors"), "safetensors"),
        (golden("checkpoints/state_zip.pt"), "torch zip"),
        (golden("checkpoints/state_legacy.pt"), "torch legacy"),
        (stranger("scripted.pt"), "TorchScript"),
    ] {
        let (out, error) = inspect(&path, &[]);
        let start = format!("{}: {container}, ", path.display());
        assert!(out.starts_with(&start) && error.is_empty(), "{out}{error}");
    }
}

#[test]
fn keys_open_what_lies_deeper() {
    let nested = golden("checkpoints/nested_zip.pt");
    let (_, error) = inspect(&nested, &[]);
    assert!(
        error.ends_with("\nhint: pass `--key state_dict`\n"),
        "{error}"
    );
    let (out, _) = inspect(&nested, &["--key", "state_dict", "--json"]);
    let whole = inspect(&golden("checkpoints/state_zip.pt"), &["--json"]).0;
    assert_eq!(out, whole);
    assert!(
        out.contains(r#"{"name":"half","type":"F16","shape":[5,2]}"#),
        "{out}"
    );
    let (_, error) = inspect(&golden("checkpoints/adm_samples.npz"), &["--key", "a"]);
    assert!(error.contains("an npz holds arrays by name"), "{error}");
}

#[test]
fn pickles_and_caches_of_statistics_are_described() {
    let (out, _) = inspect(&stranger("edm2_protocol4.pkl"), &["--key", "fd_dinov2"]);
    assert!(
        out.contains("statistics of 3 features, key `fd_dinov2`, of 12 images"),
        "{out}"
    );
    let (out, _) = inspect(&stranger("fidelity_numpy.pt"), &["--json"]);
    assert!(
        out.contains(r#"{"name":"sigma","type":"float64","shape":[4,4]}"#),
        "{out}"
    );
    let (_, error) = inspect(&golden("checkpoints/hostile_zip.pt"), &[]);
    assert!(error.contains("it names `posix.system`"), "{error}");
}
