//! The real program on the shipped nets: a sweep, its second run, a kill in the middle, a raised count.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A folder outside the repository from which the shipped files can be named by their full paths.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shipped = |name: &str| root.join(name).display().to_string();
        let text = format!(
            r#"
name = "small"
[model]
checkpoint = "{}"
[guidance]
checkpoint = "{}"
scale = 0
[sample]
steps = 4
count = 24
part = 6
batch = 5
[eval]
features = "shapes"
weights = "{}"
reference = "{}"
metrics = ["fd", "sfd", "is", "precision", "recall", "agreement"]
[grid]
guidance.scale = [0, 5]
[[chart]]
x = "guidance.scale"
y = ["fd"]
"#,
            shipped("experiments/shapes/unet16.safetensors"),
            shipped("experiments/shapes/classifier16.safetensors"),
            shipped("experiments/shapes/features.safetensors"),
            shipped("reference_stats/shapes16.npz"),
        );
        std::fs::write(folder.path().join("small.toml"), text).expect("the experiment");
        Desk { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sweep(&self, extra: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command
            .current_dir(self.folder.path())
            .args(["sweep", "small.toml"])
            .args(extra);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn table(&self) -> String {
        std::fs::read_to_string(self.path("reports/small/table.csv")).expect("a table")
    }

    fn parts(&self) -> usize {
        let images = |e: &walkdir::DirEntry| e.file_name().to_string_lossy().starts_with("images-");
        walkdir::WalkDir::new(self.path(".runner"))
            .into_iter()
            .flatten()
            .filter(images)
            .count()
    }
}

fn ended(command: &mut Command) -> (String, String) {
    let out = command.output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        out.status.success(),
        "{}\n{}",
        text(&out.stdout),
        text(&out.stderr)
    );
    (text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_sweep_killed_at_any_moment_ends_with_the_same_table() {
    let whole = Desk::new();
    ended(&mut whole.sweep(&[]));
    let table = whole.table();
    assert_eq!(table.lines().count(), 3, "{table}");
    let (again, talk) = ended(&mut whole.sweep(&[]));
    assert!(
        talk.contains("stored") && !talk.contains("done    cell"),
        "{talk}"
    );
    assert!(again.contains("FD (shapes)") && whole.table() == table);

    let killed = Desk::new();
    // Each run is killed once one more part of images has appeared, until one comes through.
    for kill in 1..6 {
        let mut child = killed
            .sweep(&[])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program");
        let started = Instant::now();
        while killed.parts() < kill && started.elapsed() < Duration::from_secs(60) {
            if child.try_wait().expect("a child").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    ended(&mut killed.sweep(&[]));
    assert_eq!(killed.table(), table);
}

#[test]
fn a_raised_count_keeps_the_images_it_has() {
    let desk = Desk::new();
    ended(&mut desk.sweep(&["--set", "sample.count=10", "--until", "sample"]));
    let before = desk.parts();
    ended(&mut desk.sweep(&["--until", "sample"]));
    let after = desk.parts();
    // 0..6 and 6..10 stay; 10..12, 12..18 and 18..24 come, for each of the two scales.
    assert_eq!((before, after), (4, 10));
}
