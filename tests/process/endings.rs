//! How a command ends: by itself, by a signal, by its time, on request; and why it does not start.

use crate::call::{Call, SOON, lives};
use fidrunner::process::command::{Ended, Stream};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

#[test]
fn the_exit_code_is_told_and_the_lines_of_each_stream_come_in_order() {
    let answer = Call::shell("for n in 1 2 3; do echo out $n; echo err $n >&2; done; exit 7").run();
    let finished = &answer.finished;
    assert_eq!(finished.ended, Ended::Exited(7));
    assert_eq!(finished.left_behind, 0);
    assert_eq!(
        answer.of_stream(Stream::Stdout),
        ["out 1", "out 2", "out 3"]
    );
    assert_eq!(
        answer.of_stream(Stream::Stderr),
        ["err 1", "err 2", "err 3"]
    );
    assert_eq!(finished.output.len(), 6);
    assert_eq!(finished.last_line_of_stdout.as_deref(), Some("out 3"));
}

#[test]
fn a_signal_that_nobody_here_sent_is_told() {
    let answer = Call::shell("kill -KILL $$").run();
    assert_eq!(answer.finished.ended, Ended::Killed(libc::SIGKILL));
}

#[test]
fn seconds_ticks_and_memory_are_measured() {
    // A buffer of 64 MiB in a child of the command's shell.
    let answer = Call::shell("dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 2.2").run();
    let finished = &answer.finished;
    assert_eq!(finished.ended, Ended::Exited(0), "{:?}", finished.output);
    assert!(
        (2.2..10.0).contains(&finished.seconds),
        "{}",
        finished.seconds
    );
    assert!((1..=10).contains(&answer.ticks), "{}", answer.ticks);
    let mib = finished.peak_memory.unwrap() >> 20;
    assert!((64..128).contains(&mib), "{mib} MiB");
}

#[test]
fn a_late_command_that_ignores_sigterm_is_killed_with_its_children() {
    let mut call = Call::shell("trap '' TERM; sleep 60 & echo child $!; wait; sleep 60");
    call.timeout = Some(Duration::from_millis(400));
    call.grace = Duration::from_millis(400);
    let started = Instant::now();
    let answer = call.run();
    assert_eq!(answer.finished.ended, Ended::TimedOut);
    assert!(started.elapsed() >= Duration::from_millis(800));
    assert!(started.elapsed() < SOON);
    assert!(!lives(answer.number("child")));
    assert_eq!(answer.finished.left_behind, 0);
}

#[test]
fn a_stopped_command_may_end_in_order() {
    let script = "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let answer = Call::shell(script)
        .run_until(|line| line == "ready")
        .unwrap();
    assert_eq!(answer.finished.ended, Ended::Stopped);
    assert_eq!(
        answer.finished.last_line_of_stdout.as_deref(),
        Some("saved")
    );
    assert!(answer.finished.seconds < SOON.as_secs_f64());
}

#[test]
fn a_panic_of_the_caller_ends_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 60", pid.display());
    let argv = ["/bin/sh", "-c", &script].map(String::from);
    let ended = std::panic::catch_unwind(|| {
        let command = fidrunner::process::command::Command {
            argv: &argv,
            folder: folder.path(),
            environment: vec![("PATH".into(), "/bin:/usr/bin".into())],
            keep_open: Vec::new(),
            timeout: None,
            grace: SOON,
            record: None,
        };
        let stop = std::sync::atomic::AtomicBool::new(false);
        fidrunner::process::command::run(&command, &|_, _| {}, &mut || panic!("a tick"), &stop)
    });
    assert!(ended.is_err());
    let pid = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    crate::call::eventually("the end of the command", || !lives(pid));
}

#[test]
fn a_command_that_cannot_start_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::of(["no-such-program", "x"]);
    call.environment = vec![("PATH".into(), "/nowhere:/bin".into())];
    let said = call.error();
    assert!(
        said.starts_with("there is no program `no-such-program` in PATH (/nowhere:/bin)\nhint: "),
        "{said}"
    );
    let mut call = Call::of(["no-such-program"]);
    call.environment.clear();
    assert!(call.error().contains("has no PATH to search"));

    let script = folder.path().join("sample.py");
    fs::write(&script, "#!/no/such/python\n").unwrap();
    let in_folder = |program: &str| {
        let mut call = Call::of([program]);
        call.folder = folder.path().to_path_buf();
        call
    };
    let said = in_folder("./sample.py").error();
    assert!(said.contains("may not be executed\nhint: "), "{said}");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let said = in_folder("./sample.py").error();
    assert!(
        said.contains("the interpreter that its first line names is not there"),
        "{said}"
    );
    let said = in_folder("./other.py").error();
    assert!(said.starts_with("there is no program "), "{said}");
    assert!(said.contains("other.py\nhint: "), "{said}");

    let mut call = Call::of(["true"]);
    call.folder = folder.path().join("absent");
    assert!(call.error().contains("absent, which is not a folder"));
    assert!(Call::of([""; 0]).error().contains("names no program"));
    assert!(Call::of(["a\0b"]).error().contains("starting `a\0b`"));
}

#[test]
fn a_program_is_found_in_the_path_that_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("greet");
    fs::write(&program, "#!/bin/sh\necho \"$@\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    // No shell reads the arguments.
    let mut call = Call::of(["greet", "$HOME; echo", "*"]);
    call.environment = vec![("PATH".into(), folder.path().into())];
    let answer = call.run();
    assert_eq!(answer.of_stream(Stream::Stdout), ["$HOME; echo *"]);
}
