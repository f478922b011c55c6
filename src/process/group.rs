//! All processes of a command: its group, and on Linux whatever carries its mark elsewhere.

use std::time::{Duration, Instant};

/// How often we look whether they are gone.
const LOOK: Duration = Duration::from_millis(20);
/// How long a killed process may stay: one that waits for a disk cannot be ended sooner.
const KILLED: Duration = Duration::from_secs(10);

/// What tells the processes of a command from all others.
pub struct Member<'a> {
    /// The process that was started, which leads the group.
    pub leader: i32,
    /// The value of [`crate::process::command::MARK`] in their environment.
    pub mark: &'a str,
}

/// Sends a signal to every process of the command.
pub fn signal(member: &Member, signal: i32) {
    if member.leader > 1 {
        // SAFETY: kill has no memory to harm; the group is one that we made.
        unsafe { libc::kill(-member.leader, signal) };
    }
    for pid in living(member) {
        // SAFETY: as above; the process carries the mark of our command.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Ends what is there of the command, and returns how many processes that were.
pub fn end(member: &Member, grace: Duration) -> usize {
    let there = living(member).len();
    if there == 0 {
        return 0;
    }
    signal(member, libc::SIGTERM);
    if !gone_within(member, grace) {
        signal(member, libc::SIGKILL);
        gone_within(member, KILLED);
    }
    there
}

fn gone_within(member: &Member, time: Duration) -> bool {
    let started = Instant::now();
    loop {
        if living(member).is_empty() {
            return true;
        }
        if started.elapsed() >= time {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

/// The processes of the command that run; those that have ended and wait to be noticed do not count.
#[cfg(target_os = "linux")]
fn living(member: &Member) -> Vec<i32> {
    use std::fs;
    let mark = format!("{}={}", crate::process::command::MARK, member.mark);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // `pid (name) state parent group ...`; a name may hold anything, parentheses too.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let fields: Vec<&str> = match text.rsplit_once(") ") {
            Some((_, rest)) => rest.split(' ').take(3).collect(),
            None => continue,
        };
        let [state, _, group] = fields[..] else {
            continue;
        };
        if matches!(state, "Z" | "X") {
            continue;
        }
        let marked = || {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            environment
                .split(|b| *b == 0)
                .any(|one| one == mark.as_bytes())
        };
        let grouped = member.leader > 1 && group.parse() == Ok(member.leader);
        if grouped || marked() {
            found.push(pid);
        }
    }
    found
}

/// The group's leader where any process of the group is there; which ones only Linux tells.
#[cfg(not(target_os = "linux"))]
fn living(member: &Member) -> Vec<i32> {
    // SAFETY: signal 0 only asks whether the group is there.
    let there = member.leader > 1 && unsafe { libc::kill(-member.leader, 0) } == 0;
    if there {
        vec![member.leader]
    } else {
        Vec::new()
    }
}
