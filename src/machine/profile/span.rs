//! A span of time on this thread, from where it is made to where it is dropped.

use crate::machine::profile::operation::Operation;
use crate::machine::profile::recorder::{ON, Recorder, lock};
use crate::machine::profile::track::Track;
use std::cell::OnceCell;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

thread_local! {
    static TRACK: OnceCell<Arc<Mutex<Track>>> = const { OnceCell::new() };
}

/// A span that ends where this is dropped, on the thread that made it.
#[must_use = "it ends where it is dropped"]
pub struct Span {
    open: bool,
    here: PhantomData<*const ()>,
}

/// Counts the time until the answer is dropped as `operation`'s, without that of spans inside it. Time of other threads
/// that work for this one meanwhile is not added.
#[inline]
pub fn span(operation: Operation) -> Span {
    let open = ON.load(Ordering::Relaxed) && begin(operation);
    Span {
        open,
        here: PhantomData,
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if self.open {
            end();
        }
    }
}

/// Runs `body` on this thread's track; not at all while the thread ends.
fn on_track(body: impl FnOnce(&Recorder, &mut Track)) -> bool {
    let Some(recorder) = Recorder::running() else {
        return false;
    };
    let ran = TRACK.try_with(|track| {
        let track = track.get_or_init(|| recorder.track());
        body(recorder, &mut lock(track));
    });
    ran.is_ok()
}

#[cold]
fn begin(operation: Operation) -> bool {
    on_track(|recorder, track| {
        let (now, before) = (recorder.now(), track.state());
        track.begin(operation, now);
        if track.state() != before {
            lock(&recorder.clock).shift(now, before, track.state());
        }
    })
}

#[cold]
fn end() {
    on_track(|recorder, track| {
        // The profile's end has ended what was open.
        let (now, before) = (recorder.now(), track.state());
        let Some(event) = track.end(now) else { return };
        if track.state() != before {
            lock(&recorder.clock).shift(now, before, track.state());
        }
        recorder.keep(track, event);
    });
}
