//! One user of a device at a time: within a process, between processes, and through those that inherit a lock.

use crate::alone::{alone, is_alone};
use crate::call::{Call, eventually};
use fidrunner::process::device_lock::{folder, holder, try_lock};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

const FOLDER: &str = "RUNNER_TEST_FOLDER";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn all_are_locked_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let take = |wanted: &[&str]| try_lock(folder, &names(wanted), "a test").unwrap();
    let one = take(&["cuda-1"]).unwrap();
    assert!(take(&["cuda-0", "cuda-1"]).is_none());
    let zero = take(&["cuda-0", "cpu", "cpu"]).unwrap();
    assert_eq!(zero.files().len(), 2);
    let told = holder(folder, "cuda-1").unwrap().unwrap();
    assert_eq!(
        (told.pid, told.what.as_str()),
        (std::process::id(), "a test")
    );
    assert!(!told.is_gone());
    let shown = format!("process {} since {}: a test", told.pid, told.since);
    assert_eq!(told.to_string(), shown);
    drop(one);
    // Another test's command holds this program's files for a moment, between fork and exec.
    let free = || holder(folder, "cuda-1").unwrap().is_none();
    eventually("the end of the lock", free);
    assert_eq!(holder(folder, "cuda-7").unwrap(), None);
    assert!(take(&["cuda-1"]).is_some());
    for bad in ["", "../cpu", "a b"] {
        assert!(try_lock(folder, &names(&[bad]), "").is_err(), "{bad}");
    }
}

#[test]
fn a_lock_outlives_its_program_as_long_as_a_process_of_the_command_lives() {
    const TEST: &str = "a_lock_outlives_its_program_as_long_as_a_process_of_the_command_lives";
    if is_alone(TEST) {
        let folder = std::env::var_os(FOLDER).unwrap();
        let locks = try_lock(Path::new(&folder), &names(&["cuda-0"]), "sampling").unwrap();
        let locks = locks.unwrap();
        // It outlives SIGTERM, which its leader gets with this program's end.
        let mut call = Call::shell("trap '' TERM; echo $$ > aside; mv aside pid; exec sleep 60");
        call.folder = folder.into();
        call.keep_open = locks.files();
        call.run();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut command = alone(module_path!(), TEST);
    let mut child = command
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the start of the command", || folder.join("pid").exists());
    let take = || try_lock(folder, &names(&["cuda-0"]), "").unwrap();
    assert!(take().is_none());
    assert!(!holder(folder, "cuda-0").unwrap().unwrap().is_gone());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(take().is_none());
    let told = holder(folder, "cuda-0").unwrap().unwrap();
    assert_eq!(told.pid, child.id());
    assert!(told.is_gone());
    assert!(told.to_string().starts_with("what is left of process "));
    let pid = fs::read_to_string(folder.join("pid")).unwrap();
    let pid: i32 = pid.trim().parse().unwrap();
    // SAFETY: it sends a signal to the process that the test above started.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
    eventually("the end of the lock", || take().is_some());
}

#[test]
fn a_command_inherits_the_files_that_it_is_given_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let [given, other] = ["cpu", "cuda-0"].map(|name| {
        let locks = try_lock(folder.path(), &names(&[name]), "").unwrap();
        locks.unwrap()
    });
    let mut call = Call::shell("ls -l /proc/$$/fd");
    call.keep_open = given.files();
    let answer = call.run();
    let count = |name: &str| {
        answer
            .lines
            .iter()
            .filter(|(_, l)| l.ends_with(name))
            .count()
    };
    assert_eq!(
        (count("cpu.lock"), count("cuda-0.lock")),
        (1, 0),
        "{:?}",
        answer.lines
    );
    drop(other);
}

#[test]
fn a_link_in_a_locks_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious");
    fs::write(&precious, "kept").unwrap();
    symlink(&precious, folder.path().join("cpu.lock")).unwrap();
    assert!(try_lock(folder.path(), &names(&["cpu"]), "").is_err());
    assert!(holder(folder.path(), "cpu").is_err());
    assert_eq!(fs::read_to_string(precious).unwrap(), "kept");
}

#[test]
fn the_users_folder_is_the_users_alone() {
    let folder = folder().unwrap();
    let meta = fs::symlink_metadata(&folder).unwrap();
    assert!(meta.is_dir());
    // SAFETY: it cannot fail.
    assert_eq!(meta.uid(), unsafe { libc::geteuid() });
    assert_eq!(meta.permissions().mode() & 0o777, 0o700);
}
