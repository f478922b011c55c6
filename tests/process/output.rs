//! What a command reads and says.

use crate::call::Call;
use fidrunner::process::command::{Ended, LONGEST_LINE, Stream, TAIL};

#[test]
fn stdin_is_empty_and_the_environment_is_what_was_given() {
    let mut call = Call::of(["/bin/sh", "-c", "cat; exec /usr/bin/env"]);
    call.environment = vec![
        ("GREETING".into(), "hello".into()),
        ("COUNT".into(), "1".into()),
        ("COUNT".into(), "2".into()),
    ];
    let answer = call.run();
    let mut lines = answer.of_stream(Stream::Stdout);
    // The shell itself adds these.
    lines.retain(|line| {
        !["PWD=", "SHLVL=", "_="]
            .iter()
            .any(|own| line.starts_with(own))
    });
    lines.sort();
    assert_eq!(lines, ["COUNT=2", "GREETING=hello"]);
}

#[test]
fn it_runs_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::of(["/bin/pwd"]);
    call.folder = folder.path().to_path_buf();
    let there = folder.path().canonicalize().unwrap();
    assert_eq!(
        call.run().of_stream(Stream::Stdout),
        [there.to_str().unwrap()]
    );
}

#[test]
fn returns_end_lines_and_progress_bars_do_not_fill_the_tail() {
    let bar = "n=0; while [ $n -lt 50 ]; do printf '\\r%d%%' $n >&2; n=$((n+1)); done";
    let answer = Call::shell(&format!("echo loading; {bar}; echo >&2; printf 'a\\r\\nb'")).run();
    assert_eq!(answer.of_stream(Stream::Stdout), ["loading", "a", "b"]);
    assert_eq!(answer.of_stream(Stream::Stderr).len(), 50);
    let mut tail = answer.finished.output.clone();
    tail.sort();
    assert_eq!(tail, ["49%", "a", "b", "loading"]);
}

#[test]
fn the_tail_is_the_end() {
    let answer = Call::shell("seq 1 100; echo; echo ' '").run();
    let finished = answer.finished;
    assert_eq!(finished.output.len(), TAIL);
    assert_eq!(finished.output[0], "83");
    assert_eq!(finished.last_line_of_stdout.as_deref(), Some("100"));
    assert_eq!(Call::of(["true"]).run().finished.last_line_of_stdout, None);
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_are_taken() {
    let answer = Call::shell("printf 'a\\377b\\n'; head -c 3000000 /dev/zero | tr '\\0' x").run();
    assert_eq!(answer.finished.ended, Ended::Exited(0));
    let lines = answer.of_stream(Stream::Stdout);
    assert_eq!(lines[0], "a\u{fffd}b");
    let cut = format!(
        "{} ... (a line of 3000000 bytes, cut)",
        "x".repeat(LONGEST_LINE)
    );
    assert!(lines[1..] == [cut], "{}", lines[1].len());
}

#[test]
fn much_output_on_both_streams_blocks_nobody() {
    let answer = Call::shell("seq 1 30000 & seq 1 30000 >&2; wait").run();
    let expected: Vec<String> = (1..=30000).map(|n| n.to_string()).collect();
    assert!(answer.of_stream(Stream::Stdout) == expected);
    assert!(answer.of_stream(Stream::Stderr) == expected);
}
