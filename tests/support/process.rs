//! The process of a test: how many threads work for it, how much memory it took, and how to have one of its own.

use std::process::Command;

/// Set in a process that runs one test alone: that test's name.
const ALONE: &str = "RUNNER_TEST_ALONE";

/// Runs `work` with so many of rayon's threads.
pub fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads").install(work)
}

/// The call that runs one test of this program in a process of its own, where [`is_alone`] says so. `module` is the test's
/// `module_path!()`.
pub fn alone(module: &str, test: &str) -> Command {
    let (_, within) = module.split_once("::").expect("a module of the program");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", &format!("{within}::{test}"), "--nocapture"]);
    command.env(ALONE, test);
    command
}

/// Runs one test by [`alone`], which must pass.
pub fn passes_alone(module: &str, test: &str) {
    let ended = alone(module, test).output().expect("a process");
    let [out, err] =
        [ended.stdout, ended.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    // A name that fits no test would end well too.
    assert!(
        ended.status.success() && out.contains("1 passed"),
        "{out}{err}"
    );
}

/// Whether this process runs `test` and nothing else.
pub fn is_alone(test: &str) -> bool {
    std::env::var_os(ALONE).is_some_and(|name| name == test)
}

/// The most memory that this process ever had, in MiB.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib >> 10
}
