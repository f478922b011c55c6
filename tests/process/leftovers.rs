//! Processes that a command's first one does not wait for: in its group, out of its group, and somebody else's.

use crate::call::{Call, SOON, eventually, lives};
use fidrunner::process::command::{Ended, SETTLE};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn what_is_left_in_the_group_is_ended_and_counted() {
    let answer = Call::shell("sleep 60 & echo child $!; exit 3").run();
    assert_eq!(answer.finished.ended, Ended::Exited(3));
    assert_eq!(answer.finished.left_behind, 1);
    assert!(!lives(answer.number("child")));
    assert!(answer.finished.seconds < SOON.as_secs_f64());
}

#[test]
fn what_is_left_and_ignores_sigterm_is_killed() {
    let mut call = Call::shell("(trap '' TERM; sleep 60; sleep 60) & echo child $!");
    call.grace = Duration::from_millis(200);
    let answer = call.run();
    assert_eq!(answer.finished.ended, Ended::Exited(0));
    assert_eq!(answer.finished.left_behind, 2);
    assert!(!lives(answer.number("child")));
}

#[test]
fn what_follows_by_itself_is_not_left_behind() {
    let answer = Call::shell("sleep 0.1 & exit 0").run();
    assert_eq!(answer.finished.left_behind, 0);
    assert!(answer.finished.seconds < SETTLE.as_secs_f64() + SOON.as_secs_f64());
}

#[test]
fn a_session_of_its_own_does_not_hold_the_command_and_is_ended() {
    // The new session keeps stdout open, by which it is known although its parent is gone at once.
    let started = Instant::now();
    let answer =
        Call::shell("setsid sh -c 'echo child $$; exec sleep 60' & sleep 0.3; exit 0").run();
    assert_eq!(answer.finished.ended, Ended::Exited(0));
    assert_eq!(answer.finished.left_behind, 1);
    assert!(!lives(answer.number("child")));
    assert!(started.elapsed() < SOON);
}

#[test]
fn workers_in_sessions_of_their_own_end_with_a_stopped_command() {
    // As torchrun starts them: nothing of the command's is open in them, their parent lives.
    let worker = "echo $$ >&3; exec 3>&-; trap '' TERM; exec sleep 60";
    let start = format!(
        "setsid sh -c \"{}\" >/dev/null 2>&1 &",
        worker.replace('$', "\\$")
    );
    let script = format!("exec 3>&1; {start} {start} sleep 0.3; echo ready; wait");
    let mut call = Call::shell(&script);
    call.grace = Duration::from_millis(300);
    let answer = call.run_until(|line| line == "ready").unwrap();
    assert_eq!(answer.finished.ended, Ended::Stopped);
    let workers: Vec<u32> = answer
        .lines
        .iter()
        .filter_map(|(_, l)| l.parse().ok())
        .collect();
    assert_eq!(workers.len(), 2);
    assert!(!workers.iter().any(|&pid| lives(pid)));
}

#[test]
fn a_worker_that_cut_every_tie_but_its_parent_is_known_by_it() {
    // Seen while its parent lives, it is known when the parent is killed.
    let script =
        "setsid sh -c 'echo child $$; exec sleep 60 >/dev/null 2>&1' & sleep 2.5; kill -KILL $$";
    let answer = Call::shell(script).run();
    assert_eq!(answer.finished.ended, Ended::Killed(libc::SIGKILL));
    assert_eq!(answer.finished.left_behind, 1);
    assert!(!lives(answer.number("child")));
}

#[test]
fn a_process_of_somebody_else_is_let_be() {
    // A child of this program in a session of its own, while a command of the same kind ends.
    let mut other = Command::new("setsid")
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    let answer = Call::shell("setsid sleep 60 & sleep 0.2").run();
    assert_eq!(answer.finished.left_behind, 1);
    assert!(lives(other.id()));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn commands_at_once_end_their_own_alone() {
    std::thread::scope(|scope| {
        let long = scope.spawn(|| {
            let script = "setsid sh -c 'echo child $$; exec sleep 1.2' & wait; echo whole";
            Call::shell(script).run()
        });
        let short = Call::shell("setsid sh -c 'echo child $$; exec sleep 60' & sleep 0.2").run();
        assert_eq!(short.finished.left_behind, 1);
        let long = long.join().unwrap();
        assert_eq!(long.finished.ended, Ended::Exited(0));
        assert_eq!(long.finished.left_behind, 0);
        assert_eq!(long.finished.last_line_of_stdout.as_deref(), Some("whole"));
        assert!(long.finished.seconds >= 1.2);
        eventually("the end of both", || !lives(short.number("child")));
    });
}
