//! The cores that this process may use: one for each of rayon's threads, all of them for every other thread.

use crate::machine::awake::while_awake;
use crate::machine::profile::{Operation, span};
use candle_core::Device;
use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};
use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Set by [`settle`]: the cores that were allowed then, by the system's numbers; empty where the system does not say.
static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();

/// Starts rayon's threads, each kept on a core of its own where there are as many as cores; call it first thing in `main`.
///
/// A thread that sleeps between two small pieces of work is often woken on the core of the thread that wakes it, though
/// another is idle, and stays there: both then take turns for seconds. Measured on two cores, a convolution of 3 channels:
/// 1.79 ms where the threads may move, 0.91 ms where they may not. With another number of threads (`RAYON_NUM_THREADS`)
/// none is kept, since another process may count on the cores that are left.
///
/// It also sets `CANDLE_NUM_THREADS` to 1 in the environment of this process, whatever it was, and so of what this process
/// starts: candle's own pool would share elementwise operations out over threads that
/// spin between two of them, on the cores where ours work. Measured on two busy cores, training a classifier at 32
/// pixels: 72 images a second with it, 300 without.
///
/// `share` = (n, of) leaves this process the n-th, from 1, of `of` equal shares of the cores; more shares than cores have
/// one core each, in turn.
///
/// # Errors
/// Where the pool was started before, or the system gives no threads.
pub fn settle(share: Option<(usize, usize)>) -> Result<(), ThreadPoolBuildError> {
    if let Some((n, of)) = share {
        let cores = allowed();
        stay(&cores[share_of(cores.len(), n, of)]);
    }
    // SAFETY: no other thread runs yet that could read the environment meanwhile.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") }
    let cores = ALLOWED.get_or_init(allowed);
    let keep = move |worker: usize| {
        if cores.len() > 1 && cores.len() == rayon::current_num_threads() {
            stay(&cores[worker..=worker]);
        }
    };
    ThreadPoolBuilder::new().start_handler(keep).build_global()
}

/// Which of `cores` cores are the n-th, from 1, of `of` shares.
fn share_of(cores: usize, n: usize, of: usize) -> Range<usize> {
    if of > cores {
        let at = (n - 1) % cores.max(1);
        return at..(at + 1).min(cores);
    }
    (n - 1) * cores / of..n * cores / of
}

/// Runs what calculates on `device`: for the CPU on one of rayon's threads, from where every parallel kernel starts its
/// share at once, instead of handing it over and sleeping, and with the other threads kept awake; for a GPU where it is,
/// since it mostly waits.
///
/// `work` must not wait for anything that needs the same pool, or one thread (`RAYON_NUM_THREADS=1`) waits for itself.
pub fn beside<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    if device.is_cpu() {
        let asks = rayon::current_thread_index().is_none();
        let _span = asks.then(|| span(Operation::WaitKernels));
        rayon::scope(|_| if asks { while_awake(work) } else { work() })
    } else {
        work()
    }
}

/// Lets the calling thread use every core again: a thread that one of rayon's starts would stay on that one's.
pub fn roam() {
    if let Some(cores) = ALLOWED.get().filter(|cores| !cores.is_empty()) {
        stay(cores);
    }
}

/// How many threads of this process can work at once; asked of the system on a thread that is kept it would be one.
pub fn count() -> usize {
    match ALLOWED.get().map_or(0, Vec::len) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}

/// Does `work` and tells for which share of its time the calling thread had a core: about 1 for a calculation on an idle
/// machine, less where other programs take turns with it. 1 where the system does not say.
pub fn occupied<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let (before, had) = (Instant::now(), had_core());
    let done = work();
    let passed = before.elapsed().as_secs_f64();
    let share = match (had, had_core()) {
        (Some(from), Some(to)) if passed > 0.0 => (to - from).as_secs_f64() / passed,
        _ => 1.0,
    };
    (done, share.min(1.0))
}

/// How long the calling thread has had a core since it was started.
#[cfg(unix)]
fn had_core() -> Option<Duration> {
    // SAFETY: a time is plain numbers, and the call fills it.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        let told = libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time);
        (told == 0).then_some(time)
    }?;
    Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(not(unix))]
fn had_core() -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
fn allowed() -> Vec<usize> {
    // SAFETY: a set of cores is plain bits, the call fills it, and the size is its own.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) {
            0 => (0..libc::CPU_SETSIZE as usize)
                .filter(|core| libc::CPU_ISSET(*core, &set))
                .collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Vec<usize> {
    Vec::new()
}

/// Keeps the calling thread on these cores; where the system refuses, it runs as before.
#[cfg(target_os = "linux")]
fn stay(cores: &[usize]) {
    // SAFETY: as above; the numbers came from such a set.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cores.iter().for_each(|core| libc::CPU_SET(*core, &mut set));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

#[cfg(not(target_os = "linux"))]
fn stay(_cores: &[usize]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_thread_that_sleeps_has_no_core() {
        let (answer, share) = occupied(|| {
            std::thread::sleep(Duration::from_millis(100));
            7
        });
        assert_eq!(answer, 7);
        assert!(share < 0.5, "{share}");
    }

    #[test]
    fn shares_are_all_cores_and_each_once() {
        let shares = |cores, of| (1..=of).map(move |n| share_of(cores, n, of));
        assert_eq!(
            shares(16, 4).collect::<Vec<_>>(),
            [0..4, 4..8, 8..12, 12..16]
        );
        assert_eq!(shares(5, 2).collect::<Vec<_>>(), [0..2, 2..5]);
        assert_eq!(shares(2, 3).collect::<Vec<_>>(), [0..1, 1..2, 0..1]);
        assert_eq!(share_of(0, 1, 2), 0..0);
    }
}
