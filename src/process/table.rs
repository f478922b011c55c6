//! The system's processes as `/proc` shows them, and the machine that they are on.

use std::fs;
use std::path::Path;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    /// When it was started, in the kernel's ticks since boot: a reused pid is not the same process.
    pub born: u64,
    /// False for a zombie, which holds nothing but its number.
    pub living: bool,
}

/// Whether this system shows its processes.
pub fn is_shown() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// When a living process was started, in the kernel's ticks since boot; None for a dead process, a zombie, or a system
/// without `/proc`.
pub fn born(pid: u32) -> Option<u64> {
    let entry = entry(i32::try_from(pid).ok()?)?;
    entry.living.then_some(entry.born)
}

pub(super) fn entry(pid: i32) -> Option<Entry> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(&String::from_utf8_lossy(&text))
}

/// Every process that `/proc` shows; empty on a system without it.
pub(super) fn all() -> Vec<Entry> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    pids.filter_map(entry).collect()
}

/// A line of `/proc/PID/stat` (proc_pid_stat(5)): the name in brackets may hold anything, brackets and spaces too.
fn parse(text: &str) -> Option<Entry> {
    let (before, after) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |n: usize| fields.get(n)?.parse().ok();
    let ended = ["Z", "X"].contains(fields.first()?);
    Some(Entry {
        pid: before.split(' ').next()?.parse().ok()?,
        // Where the first thread alone has ended, the process is shown as a zombie and lives.
        living: !ended || fields.get(17)?.parse::<u32>().ok()? > 1,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        born: fields.get(19)?.parse().ok()?,
    })
}

/// The machine's name; `localhost` where the system does not tell it.
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_string(),
        name => name.to_string(),
    }
}

/// What a process number means something within: this start of the machine and this container of it.
pub fn namespace() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let pids = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), pids.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let line =
            "41 (a) Z 1 (b) S 7 41 12 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 1 0 1480088 3133440 381\n";
        let expected = Entry {
            pid: 41,
            parent: 7,
            group: 41,
            session: 12,
            born: 1_480_088,
            living: true,
        };
        assert_eq!(parse(line), Some(expected));
        let zombie = line.replace(") S 7", ") Z 7");
        assert_eq!(
            parse(&zombie),
            Some(Entry {
                living: false,
                ..expected
            })
        );
        assert_eq!(
            parse(&zombie.replace(" 20 0 1 0 ", " 20 0 3 0 ")),
            Some(expected)
        );
        assert_eq!(parse("41 (a) S 7 41"), None);
    }
}
