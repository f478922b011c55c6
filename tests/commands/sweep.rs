//! `runner sweep`: on the shipped nets, run again, killed in the middle, of a raised count; and on files that break.

use crate::desk::Desk;
use crate::support::program::{Runner, guided};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A folder outside the repository from which the shipped files can be named by their full paths.
struct Study {
    folder: tempfile::TempDir,
}

impl Study {
    fn new() -> Study {
        let folder = tempfile::tempdir().expect("a folder");
        let sample = "steps = 4\ncount = 24\npart = 6\nbatch = 5";
        let metrics = ["fd", "sfd", "is", "precision", "recall", "agreement"];
        let rest =
            "[grid]\nguidance.scale = [0, 5]\n[[chart]]\nx = \"guidance.scale\"\ny = [\"fd\"]";
        let text = guided("small", sample, &metrics, rest);
        std::fs::write(folder.path().join("small.toml"), text).expect("the experiment");
        Study { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sweep(&self, extra: &[&str]) -> Runner {
        let runner = Runner::new().at(self.folder.path());
        runner.args(["sweep", "small.toml"]).args(extra)
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

#[test]
fn a_sweep_killed_at_any_moment_ends_with_the_same_table() {
    let whole = Study::new();
    whole.sweep(&[]).succeeds();
    let table = whole.table();
    assert_eq!(table.lines().count(), 3, "{table}");
    let again = whole.sweep(&[]).succeeds();
    let talk = &again.stderr;
    assert!(
        talk.contains("stored") && !talk.contains("done    cell"),
        "{talk}"
    );
    assert!(again.stdout.contains("FD (shapes)") && whole.table() == table);

    let killed = Study::new();
    // Each run is killed once one more part of images has appeared, until one comes through.
    for kill in 1..6 {
        let mut child = killed
            .sweep(&[])
            .command()
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
    killed.sweep(&[]).succeeds();
    assert_eq!(killed.table(), table);
}

#[test]
fn a_raised_count_keeps_the_images_it_has() {
    let desk = Study::new();
    desk.sweep(&["--set", "sample.count=10", "--until", "sample"])
        .succeeds();
    let before = desk.parts();
    desk.sweep(&["--until", "sample"]).succeeds();
    let after = desk.parts();
    // 0..6 and 6..10 stay; 10..12, 12..18 and 18..24 come, for each of the two scales.
    assert_eq!((before, after), (4, 10));
}

#[test]
fn a_sweep_of_broken_files_exits_with_1_and_status_shows_the_error() {
    let desk = Desk::new();
    let sweep = ["sweep", "a.toml", "--device", "cpu", "--only", "scale=0"];
    let text = desk.runner(&sweep).ends_with(1).stderr;
    assert!(
        text.starts_with("guidance64: 6 of 6 jobs to run on cpu\n"),
        "{text}"
    );
    assert_eq!(text.matches("  failed  cell ").count(), 2, "{text}");
    assert!(text.contains("log: .runner/sample/"), "{text}");
    assert!(
        text.contains("2 jobs failed, 4 jobs not tried; see `runner status a.toml 0`"),
        "{text}"
    );
    the_status_shows_what_failed(&desk);
    what_failed_is_kept_until_it_is_of_no_use(&desk);
}

fn the_status_shows_what_failed(desk: &Desk) {
    let status = desk.done(&["status", "a.toml", "--only", "scale=0"]);
    assert!(
        status.ends_with("2 cells: 0 done, 2 failed, 0 under way, 0 waiting\n"),
        "{status}"
    );
    let cell = desk.done(&["status", "a.toml", "4"]);
    assert!(
        cell.starts_with("cell 4  steps=50 scale=0\n  sample    failed "),
        "{cell}"
    );
    assert!(cell.contains("net.pt"), "{cell}");
    assert!(
        cell.contains("run it alone: runner sweep .runner/sample/"),
        "{cell}"
    );
    let none = desk.refused(&["status", "a.toml", "8"]);
    assert!(none.starts_with("error: there is no cell 8; the cells are 0..=7"));
}

fn what_failed_is_kept_until_it_is_of_no_use(desk: &Desk) {
    let left = || desk.path(".runner/sample").read_dir().unwrap().count();
    let clean = desk.run(&["clean", "a.toml"]).stdout;
    assert!(clean.starts_with("nothing to free"));
    desk.write("net.pt", "other");
    desk.run(&["clean", "a.toml"])
        .says("would free 2 of 2 results");
    assert_eq!(left(), 2);
    desk.run(&["clean", "a.toml", "--yes"]);
    assert_eq!(left(), 0);
}

#[test]
fn a_store_that_cannot_be_written_gives_one_clear_message() {
    let desk = Desk::new();
    let sweep = ["sweep", "a.toml", "--device", "cpu"];
    let text = desk.refused(&[&sweep[..], &["--store", "net.pt/store"]].concat());
    assert!(
        text.starts_with("error: the store `net.pt/store` cannot be written: "),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}
