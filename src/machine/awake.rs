//! Keeps the other threads of a pool from falling asleep between the parallel kernels of one calculation.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread looks for work without a pause. Most of what a net does on one thread takes less.
const SPIN: Duration = Duration::from_micros(500);
/// Of the time without work that passed so far, what one nap takes.
const NAP: u32 = 8;
/// After this time a thread goes back to what it may have left half done, and is called again.
const ROUND: Duration = Duration::from_millis(20);
/// A look for work that takes longer was interrupted by another program's turn.
const LOST: Duration = Duration::from_micros(300);
/// Less than this lost says nothing.
const ENOUGH: Duration = Duration::from_millis(10);

thread_local! {
    /// Whether this thread runs a calculation that others are kept awake for.
    static CALCULATES: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on this thread of a rayon pool; until it ends, the pool's other threads look for shares of it instead of
/// falling asleep.
///
/// A net calls hundreds of kernels an evaluation, with some microseconds on one thread between two of them. That is long
/// enough for rayon's threads to fall asleep, and waking one takes a system call and, on a virtual machine, tens of
/// microseconds. While a calculation stays on its own thread for longer, the others take naps of an eighth of the time that
/// they waited so far, and then fall asleep after all, until it shares something out again. So does a thread on whose core
/// other programs have a quarter of its looking time, until the calculation ends.
pub fn while_awake<R>(work: impl FnOnce() -> R) -> R {
    let watch = Arc::new(Watch {
        over: AtomicBool::new(false),
        looking: AtomicUsize::new(0),
        again: AtomicBool::new(false),
        spun: (0..rayon::current_num_threads())
            .map(|_| Mutex::default())
            .collect(),
    });
    let _lasts = Lasts {
        watch: &watch,
        outer: CALCULATES.replace(true),
    };
    watch.call();
    work()
}

/// What the threads of a pool share while one of them calculates.
struct Watch {
    over: AtomicBool,
    /// threads that have not come back from this round
    looking: AtomicUsize,
    /// whether one of them came back because its round was over
    again: AtomicBool,
    /// what each thread's looking came to in all rounds
    spun: Vec<Mutex<Spun>>,
}

/// Ends a watch even where the calculation panics.
struct Lasts<'a> {
    watch: &'a Watch,
    outer: bool,
}

impl Drop for Lasts<'_> {
    fn drop(&mut self) {
        self.watch.over.store(true, Ordering::Release);
        CALCULATES.set(self.outer);
    }
}

impl Watch {
    /// Calls every thread of the pool for a round.
    fn call(self: &Arc<Self>) {
        self.looking.store(self.spun.len(), Ordering::Release);
        let watch = Arc::clone(self);
        rayon::spawn_broadcast(move |context| watch.round(context.index()));
    }

    /// A round of thread `index`; the last that comes back calls for the next one.
    fn round(self: &Arc<Self>, index: usize) {
        // A thread whose own calculation waits for a share of it has something to come back to at once.
        if !CALCULATES.get() {
            let kept = || {
                self.spun[index]
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
            };
            let mut spun = *kept();
            self.look_for_work(&mut spun);
            *kept() = spun;
        }
        let last = self.looking.fetch_sub(1, Ordering::AcqRel) == 1;
        if last && self.again.swap(false, Ordering::AcqRel) && !self.over.load(Ordering::Acquire) {
            self.call();
        }
    }

    /// Runs what this thread's pool has to do, until the round is over or other programs want this core.
    fn look_for_work(&self, spun: &mut Spun) {
        // More threads look less often each: all of them read what the calculating one writes.
        let pauses = 4 * rayon::current_num_threads();
        let start = Instant::now();
        let (mut idle, mut before) = (start, start);
        while !self.over.load(Ordering::Acquire) && !spun.disturbs() {
            let found = rayon::yield_now() == Some(rayon::Yield::Executed);
            let now = Instant::now();
            if now - start > ROUND {
                self.again.store(true, Ordering::Release);
                return;
            }
            if found {
                (idle, before) = (now, now);
                continue;
            }
            spun.add(now - before);
            before = now;
            match now - idle {
                waited if waited < SPIN => (0..pauses).for_each(|_| std::hint::spin_loop()),
                waited => {
                    std::thread::sleep(waited / NAP);
                    before = Instant::now();
                }
            }
        }
    }
}

/// The time that a thread looked for work without finding any, and how much of it another program had its core.
#[derive(Clone, Copy, Debug, Default)]
struct Spun {
    all: Duration,
    lost: Duration,
}

impl Spun {
    /// One look took `time`.
    fn add(&mut self, time: Duration) {
        self.all += time;
        if time > LOST {
            self.lost += time;
        }
    }

    /// Whether the core is wanted by others. A thread that slept gets it back at once when there is work; one that spun has
    /// used up its turn by then.
    fn disturbs(&self) -> bool {
        self.lost > ENOUGH && self.lost > self.all / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::sync::mpsc::channel;

    /// A pool of its own: other tests use the global one.
    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads")
    }

    fn sum(to: u64) -> u64 {
        (0..to).into_par_iter().sum()
    }

    #[test]
    fn calculations_of_one_pool_run_side_by_side_and_inside_each_other() {
        for threads in [1, 2, 3] {
            let pool = pool(threads);
            let (tell, told) = channel();
            for _ in 0..8 {
                let tell = tell.clone();
                pool.spawn(move || {
                    let inner = || (0..20).map(|_| sum(1000)).sum::<u64>();
                    let (a, b) = rayon::join(|| while_awake(inner), || while_awake(inner));
                    tell.send(while_awake(|| a + b + sum(10)))
                        .expect("a reader");
                });
            }
            for _ in 0..8 {
                let got = told.recv_timeout(Duration::from_secs(60));
                assert_eq!(got, Ok(2 * 20 * 499_500 + 45), "{threads} threads");
            }
        }
    }

    #[test]
    fn a_calculation_that_panics_lets_the_others_go() {
        let pool = pool(2);
        let caught = pool.install(|| {
            std::panic::catch_unwind(|| while_awake(|| -> u64 { panic!("in the calculation") }))
        });
        assert!(caught.is_err());
        // Both threads are free: each waits for the other.
        let met = pool.broadcast(|_| {
            let (tell, told) = channel();
            rayon::spawn(move || tell.send(()).expect("a reader"));
            while told.try_recv().is_err() {
                rayon::yield_now();
            }
        });
        assert_eq!(met.len(), 2);
        assert!(!CALCULATES.get());
    }

    /// A thread that waits for a share of something else, when the calculation begins, goes back to it although the calculation
    /// lasts: here it lasts until that is done. Each of the three threads has its part by its number, since one that waits may
    /// also take up the calculation itself.
    #[test]
    fn what_a_thread_left_half_done_is_not_kept_until_the_calculation_ends() {
        let (shared, begun, done) = (
            AtomicBool::new(false),
            AtomicBool::new(false),
            AtomicBool::new(false),
        );
        let wait_for = |what: &AtomicBool| {
            let start = Instant::now();
            while !what.load(Ordering::Acquire) && start.elapsed() < Duration::from_secs(20) {
                std::hint::spin_loop();
            }
            what.load(Ordering::Acquire)
        };
        let halves = || {
            let second = || {
                shared.store(true, Ordering::Release);
                let begun = wait_for(&begun);
                std::thread::sleep(Duration::from_millis(60));
                begun
            };
            let both = rayon::join(|| wait_for(&shared), second);
            done.store(true, Ordering::Release);
            both == (true, true)
        };
        let takes_the_second = || {
            while !shared.load(Ordering::Acquire) {
                rayon::yield_now();
            }
            true
        };
        let calculates = || {
            wait_for(&shared)
                && while_awake(|| {
                    begun.store(true, Ordering::Release);
                    wait_for(&done)
                })
        };
        let saw = pool(3).broadcast(|context| match context.index() {
            0 => halves(),
            1 => takes_the_second(),
            _ => calculates(),
        });
        assert_eq!(saw, [true; 3]);
    }

    #[test]
    fn a_core_that_others_want_is_left_to_them() {
        let mut spun = Spun::default();
        for _ in 0..100_000 {
            spun.add(Duration::from_micros(2));
        }
        assert!(!spun.disturbs());
        for _ in 0..10 {
            spun.add(Duration::from_millis(3));
        }
        assert!(!spun.disturbs(), "30 of 230 ms");
        for _ in 0..30 {
            spun.add(Duration::from_millis(3));
        }
        assert!(spun.disturbs(), "120 of 320 ms");
    }
}
