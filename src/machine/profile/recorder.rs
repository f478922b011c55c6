//! The profile of this process: begun once, filled by every thread's spans, read at the end.

use crate::machine::profile::clock::Clock;
use crate::machine::profile::operation::Operation;
pub use crate::machine::profile::track::Total;
use crate::machine::profile::track::{Event, Track};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

/// Spans whose place in time is kept, 24 bytes each; of later ones the totals alone.
pub const MOST_EVENTS: usize = 1_000_000;

/// Whether a profile is being taken.
pub(super) static ON: AtomicBool = AtomicBool::new(false);

static RECORDER: OnceLock<Recorder> = OnceLock::new();

pub(super) struct Recorder {
    start: Instant,
    began: SystemTime,
    tracks: Mutex<Vec<Arc<Mutex<Track>>>>,
    pub(super) clock: Mutex<Clock>,
    kept: AtomicUsize,
}

/// What a profile found; times in nanoseconds since it began.
pub struct Found {
    pub began: SystemTime,
    /// How long it was taken.
    pub wall: u64,
    /// How long at least one thread was in a span of work.
    pub worked: u64,
    /// How long no thread was, and at least one waited.
    pub waited: u64,
    pub totals: Vec<(Operation, Total)>,
    /// By thread: its number, its name, and the first [`MOST_EVENTS`] spans of all of them.
    pub threads: Vec<(usize, String, Vec<Event>)>,
}

/// A thread that panicked in a span has left it whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins the profile of this process; without effect where one was begun before.
pub fn begin() {
    RECORDER.get_or_init(|| Recorder {
        start: Instant::now(),
        began: SystemTime::now(),
        tracks: Mutex::default(),
        clock: Mutex::default(),
        kept: AtomicUsize::new(0),
    });
    ON.store(true, Ordering::Release);
}

/// Ends it. Spans that are open on other threads end here too. None where none was begun.
pub fn end() -> Option<Found> {
    let recorder = RECORDER.get()?;
    ON.store(false, Ordering::Release);
    let wall = recorder.now();
    let mut totals = vec![Total::default(); Operation::ALL.len()];
    let mut threads = Vec::new();
    for track in lock(&recorder.tracks).iter() {
        let mut track = lock(track);
        while let Some(event) = track.end(wall) {
            recorder.keep(&mut track, event);
        }
        for (sum, own) in totals.iter_mut().zip(&track.totals) {
            sum.calls += own.calls;
            sum.own += own.own;
        }
        let events = std::mem::take(&mut track.events);
        threads.push((track.id, track.name.clone(), events));
    }
    let mut clock = lock(&recorder.clock);
    clock.pass(wall);
    let totals = Operation::ALL.iter().copied().zip(totals);
    Some(Found {
        began: recorder.began,
        wall,
        worked: clock.worked.min(wall),
        waited: clock.waited.min(wall),
        totals: totals.filter(|(_, total)| total.calls > 0).collect(),
        threads,
    })
}

impl Recorder {
    pub(super) fn running() -> Option<&'static Recorder> {
        RECORDER.get()
    }

    pub(super) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// The track of the calling thread, which asks once.
    pub(super) fn track(&self) -> Arc<Mutex<Track>> {
        let mut tracks = lock(&self.tracks);
        let id = tracks.len() + 1;
        let thread = std::thread::current();
        let name = thread.name().map(str::to_string);
        let name = name.unwrap_or_else(|| format!("thread {id}"));
        let track = Arc::new(Mutex::new(Track::new(id, name)));
        tracks.push(track.clone());
        track
    }

    pub(super) fn keep(&self, track: &mut Track, event: Event) {
        if self.kept.fetch_add(1, Ordering::Relaxed) < MOST_EVENTS {
            track.events.push(event);
        }
    }
}
