//! Images to ready batches: decoded, surveyed and, where it is asked, resized on every core, a few batches ahead of whoever
//! takes them.

use crate::data::gallery::Gallery;
use crate::data::resize::input;
use crate::data::survey::Facts;
use crate::experiment::scoring::rules::Preprocessing;
use crate::io::image::file::Rgb8;
use crate::machine::cores;
use crate::machine::profile::{Operation, span};
use anyhow::{Context, Error, Result, anyhow, ensure};
use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Batches open at a time: one that is taken, one that is ready, and what the threads work on.
const AHEAD: usize = 3;

/// Which images to load, how.
#[derive(Clone, Debug)]
pub struct Order {
    pub images: Range<usize>,
    /// Images a batch; the last may be shorter.
    pub batch: usize,
    pub make: Make,
    /// Whether images may differ in size (`Rules::mixed_sizes`).
    pub mixed_sizes: bool,
    /// Threads that decode and resize; 0 takes one a core.
    pub threads: usize,
}

/// What is made of an image that was decoded.
#[derive(Clone, Debug)]
pub enum Make {
    /// The input of a published network, once for each of these.
    Inputs(Vec<Preprocessing>),
    /// Nothing: whoever takes the images resizes them.
    Images,
}

impl Make {
    fn preprocessings(&self) -> &[Preprocessing] {
        match self {
            Make::Inputs(hows) => hows,
            Make::Images => &[],
        }
    }
}

/// A batch of images in order.
pub struct Inputs {
    /// Index of the first image in the gallery.
    pub first: usize,
    pub facts: Vec<Facts>,
    /// f32 [n, 3, 299, 299] for each of [`Make::Inputs`], in its order.
    pub planes: Vec<Vec<f32>>,
    /// The images of [`Make::Images`], else none.
    pub images: Vec<Rgb8>,
}

/// Batches in index order. An image that cannot be read or is of a size that does not fit ends them with an error that
/// names it: the first such image, whatever the threads' order. Memory: three batches, and an image a thread.
pub struct Loader {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    size: Option<(u32, u32)>,
    ended: bool,
}

struct Shared {
    gallery: Arc<Gallery>,
    order: Order,
    state: Mutex<State>,
    /// Told when a batch was taken.
    room: Condvar,
    /// Told when a batch is whole.
    ready: Condvar,
}

struct State {
    /// The next image to begin.
    next: usize,
    /// Batches begun and not taken, the earliest first.
    open: VecDeque<Arc<Slot>>,
    /// Batches taken.
    taken: usize,
    stopped: bool,
}

/// A batch in the making.
struct Slot {
    first: usize,
    left: AtomicUsize,
    body: Mutex<Body>,
}

struct Body {
    facts: Vec<Option<Facts>>,
    planes: Vec<Vec<f32>>,
    images: Vec<Option<Rgb8>>,
    /// The earliest image that failed, and why.
    failed: Option<(usize, Error)>,
}

/// A thread that panicked has left nothing half-written that is read afterwards.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Loader {
    /// Starts the threads.
    pub fn start(gallery: Arc<Gallery>, order: Order) -> Result<Loader> {
        let Range { start, end } = order.images;
        ensure!(
            start <= end && end <= gallery.len(),
            "images {start}..{end} are asked, there are {}",
            gallery.len()
        );
        ensure!(order.batch > 0, "batch = 0 is not at least 1");
        ensure!(
            !matches!(&order.make, Make::Inputs(hows) if hows.is_empty()),
            "no preprocessing is asked"
        );
        let count = match order.threads {
            0 => cores::count(),
            n => n,
        };
        let shared = Arc::new(Shared {
            gallery,
            state: Mutex::new(State {
                next: start,
                open: VecDeque::new(),
                taken: 0,
                stopped: false,
            }),
            order,
            room: Condvar::new(),
            ready: Condvar::new(),
        });
        let mut loader = Loader {
            shared,
            threads: Vec::new(),
            size: None,
            ended: false,
        };
        for k in 0..count.min(end - start) {
            let shared = loader.shared.clone();
            let thread = thread::Builder::new().name(format!("loader {k}"));
            let thread = thread.spawn(move || shared.work());
            loader
                .threads
                .push(thread.context("starting a loader thread")?);
        }
        Ok(loader)
    }

    /// The batch as it is handed out, or the error of its first image that has one.
    fn close(&mut self, slot: &Slot) -> Result<Inputs> {
        let mut body = lock(&slot.body);
        let facts: Vec<Facts> = body.facts.iter().map_while(|f| *f).collect();
        let failed = body.failed.take();
        let fits = failed.as_ref().map_or(facts.len(), |(at, _)| *at);
        if !self.shared.order.mixed_sizes {
            for (j, facts) in facts.iter().enumerate().take(fits) {
                self.check_size(slot.first + j, facts)?;
            }
        }
        if let Some((_, why)) = failed {
            return Err(why);
        }
        Ok(Inputs {
            first: slot.first,
            facts,
            planes: std::mem::take(&mut body.planes),
            images: body.images.drain(..).flatten().collect(),
        })
    }

    fn check_size(&mut self, i: usize, facts: &Facts) -> Result<()> {
        let found = (facts.w, facts.h);
        let (w, h) = *self.size.get_or_insert(found);
        let gallery = &self.shared.gallery;
        ensure!(
            found == (w, h),
            "{} is {} by {}, {} is {w} by {h}: this preset resizes batches, whose images are of one size\nhint: the preset `clean-fid` resizes each image by itself",
            gallery.name(i),
            facts.w,
            facts.h,
            gallery.name(self.shared.order.images.start)
        );
        Ok(())
    }
}

impl Iterator for Loader {
    type Item = Result<Inputs>;

    fn next(&mut self) -> Option<Result<Inputs>> {
        if self.ended {
            return None;
        }
        let slot = self.shared.take();
        let inputs = slot.map(|slot| self.close(&slot));
        self.ended = !matches!(inputs, Some(Ok(_)));
        inputs
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        lock(&self.shared.state).stopped = true;
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that failed has left its error in the batch's slot.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Waits for the earliest batch; none after the last.
    fn take(&self) -> Option<Arc<Slot>> {
        let mut state = lock(&self.state);
        loop {
            let first = self.order.images.start + state.taken * self.order.batch;
            if first >= self.order.images.end {
                return None;
            }
            let whole = |slot: &&Arc<Slot>| slot.left.load(Ordering::Acquire) == 0;
            if state.open.front().filter(whole).is_some() {
                state.taken += 1;
                let slot = state.open.pop_front();
                self.room.notify_all();
                return slot;
            }
            let _span = span(Operation::WaitImages);
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What one thread does: an image after the other, until there is none or the loader is dropped.
    fn work(&self) {
        cores::roam();
        let hows = self.order.make.preprocessings().iter();
        let mut scratch: Vec<Vec<f32>> = hows.map(|how| vec![0f32; how.input_len()]).collect();
        while let Some((slot, i)) = self.begin() {
            let made = catch_unwind(AssertUnwindSafe(|| self.make(i, &mut scratch)));
            let made = made.unwrap_or_else(|_| {
                Err(anyhow!(
                    "reading {}: its decoder gave up",
                    self.gallery.name(i)
                ))
            });
            self.put(&slot, i - slot.first, made, &scratch);
        }
    }

    /// The next image and the batch it belongs to, when there is room for it.
    fn begin(&self) -> Option<(Arc<Slot>, usize)> {
        let Range { start, end } = self.order.images;
        let mut state = lock(&self.state);
        loop {
            if state.stopped || state.next >= end {
                return None;
            }
            let place = (state.next - start) / self.order.batch - state.taken;
            if place < AHEAD {
                let i = state.next;
                state.next += 1;
                if place == state.open.len() {
                    state.open.push_back(Arc::new(self.slot(i)));
                }
                return Some((state.open[place].clone(), i));
            }
            let _span = span(Operation::WaitAhead);
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn slot(&self, first: usize) -> Slot {
        let n = self.order.batch.min(self.order.images.end - first);
        let hows = self.order.make.preprocessings();
        let planes = |how: &Preprocessing| vec![0f32; n * how.input_len()];
        Slot {
            first,
            left: AtomicUsize::new(n),
            body: Mutex::new(Body {
                facts: vec![None; n],
                planes: hows.iter().map(planes).collect(),
                images: vec![None; n],
                failed: None,
            }),
        }
    }

    /// What is seen of image `i`, which goes into `scratch`, one input after the other, or is given back.
    fn make(&self, i: usize, scratch: &mut [Vec<f32>]) -> Result<(Facts, Option<Rgb8>)> {
        let decoded = {
            let _span = span(Operation::Decode);
            self.gallery.read_noted(i)?
        };
        let facts = Facts::of_decoded(&decoded);
        let hows = match &self.order.make {
            Make::Images => return Ok((facts, Some(decoded.image))),
            Make::Inputs(hows) => hows,
        };
        let _span = span(Operation::Resize);
        for (how, out) in hows.iter().zip(scratch) {
            input::fill(&decoded.image, *how, out)
                .with_context(|| format!("resizing {}", self.gallery.name(i)))?;
        }
        Ok((facts, None))
    }

    fn put(
        &self,
        slot: &Slot,
        j: usize,
        made: Result<(Facts, Option<Rgb8>)>,
        scratch: &[Vec<f32>],
    ) {
        let mut body = lock(&slot.body);
        match made {
            Ok((facts, image)) => {
                body.facts[j] = Some(facts);
                body.images[j] = image;
                for (planes, input) in body.planes.iter_mut().zip(scratch) {
                    planes[j * input.len()..(j + 1) * input.len()].copy_from_slice(input);
                }
            }
            Err(why) => {
                if body.failed.as_ref().is_none_or(|(at, _)| j < *at) {
                    body.failed = Some((j, why));
                }
            }
        }
        drop(body);
        if slot.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Under the lock, so that a taker that just looked is already waiting.
            let _state = lock(&self.state);
            self.ready.notify_all();
        }
    }
}
