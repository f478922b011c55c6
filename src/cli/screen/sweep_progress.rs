//! The sweep as people watch it: one live line a device on a terminal, plain lines, one a minute, elsewhere.

use crate::cli::screen::live::{PLAIN_EVERY, bar};
use crate::cli::screen::pace::Paces;
use crate::cli::screen::terminal::{Paint, duration, number, paint, parts, say, thousands};
use crate::jobs::context::Progress;
use crate::jobs::stage::Stage;
use crate::run::local::Event;
use crate::run::plan::Plan;
use crate::run::results::{Score, scores};
use crate::run::store::{LOG, Store};
use indicatif::{MultiProgress, ProgressBar};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub struct SweepProgress<'a> {
    plan: &'a Plan,
    store: &'a Store,
    devices: usize,
    /// Characters of the longest label of a cell.
    widest: usize,
    live: Option<MultiProgress>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    lines: HashMap<String, DeviceLine>,
    tally: Tally,
    foot: Option<ProgressBar>,
    held: Vec<usize>,
    /// Items not yet done, failed or skipped.
    open: Vec<usize>,
    paces: Paces,
}

#[derive(Default)]
struct Tally {
    done: usize,
    failed: usize,
    running: usize,
    waiting: usize,
}

/// The job that one device works on.
struct DeviceLine {
    item: usize,
    bar: Option<ProgressBar>,
    started: Instant,
    /// When and where this run's first progress was told: what went before is an earlier run's.
    first: Option<(Instant, u64)>,
    spoke: Instant,
}

impl<'a> SweepProgress<'a> {
    pub fn new(plan: &'a Plan, store: &'a Store, devices: usize) -> SweepProgress<'a> {
        let live = std::io::stderr().is_terminal().then(MultiProgress::new);
        let mut inner = Inner {
            open: plan.to_run(),
            paces: Paces::of(plan),
            ..Inner::default()
        };
        inner.tally.waiting = inner.open.len();
        if let Some(live) = &live {
            let foot = live.add(bar());
            foot.enable_steady_tick(Duration::from_secs(1));
            inner.foot = Some(foot);
        }
        let labels = plan.cells.iter().map(|cell| cell.label().len());
        SweepProgress {
            plan,
            store,
            devices,
            widest: labels.max().unwrap_or(0),
            live,
            inner: Mutex::new(inner),
        }
    }

    pub fn on(&self, event: Event) {
        let Ok(mut inner) = self.inner.lock() else {
            return;
        };
        match event {
            Event::Started { item, device } => {
                inner.tally.waiting = inner.tally.waiting.saturating_sub(1);
                inner.tally.running += 1;
                self.open_line(&mut inner, item, device);
            }
            Event::Progress {
                item,
                device,
                progress,
            } => self.progress(&mut inner, item, device, &progress),
            Event::Done {
                item,
                device,
                seconds,
            } => self.done(&mut inner, (item, device, seconds)),
            Event::Failed {
                item,
                device,
                seconds,
                error,
            } => self.failed(&mut inner, (item, device, seconds), error),
            Event::Skipped { item } => {
                inner.open.retain(|&open| open != item);
                inner.tally.waiting = inner.tally.waiting.saturating_sub(1);
                let text = "not tried: what it reads has failed";
                self.say(&self.line("skipped", item, text));
            }
            Event::There { item, device } => {
                close_line(&mut inner, device);
                if inner.open.contains(&item) {
                    inner.open.retain(|&open| open != item);
                    inner.tally.waiting = inner.tally.waiting.saturating_sub(1);
                    inner.tally.done += 1;
                    self.say(&self.line("there  ", item, "made by another process"));
                }
            }
            Event::Damaged {
                item,
                device,
                damaged,
            } => {
                close_line(&mut inner, device);
                inner.tally.waiting += damaged.len();
                inner.open.extend(damaged.iter().map(|damage| damage.need));
                for line in damaged.iter().flat_map(|damage| &damage.lines) {
                    let word = paint("warning", Paint::Yellow);
                    self.say(&self.line(&word, item, line));
                }
            }
            Event::Waiting { item, for_what, .. } => {
                let text = format!("for {for_what}, which is in use");
                self.say(&self.line("waiting", item, &text));
            }
            Event::Held {
                item,
                device,
                holder,
            } => {
                close_line(&mut inner, device);
                // Workers of this sweep that share a result are no news.
                if let Some(holder) = holder
                    && !inner.held.contains(&item)
                {
                    inner.held.push(item);
                    let text = format!("process {} on {} makes it", holder.pid, holder.host);
                    self.say(&self.line("waiting", item, &text));
                }
            }
        }
        self.foot(&inner);
    }

    fn done(&self, inner: &mut Inner, (item, device, seconds): (usize, &str, f64)) {
        close_line(inner, device);
        inner.tally.waiting = inner.tally.waiting.saturating_sub(1);
        inner.tally.done += 1;
        inner.open.retain(|&open| open != item);
        let made = &self.plan.items[item];
        let manifest = self.store.manifest(made.job.stage(), &made.key);
        let all = manifest.map_or(seconds, |manifest| manifest.device_seconds());
        inner.paces.add(self.plan, item, all);
        let scores = self.scores(item);
        let text = format!("{:>12}{scores}", duration(seconds));
        self.say(&self.line(&paint("done   ", Paint::Green), item, text.trim_end()));
    }

    fn failed(
        &self,
        inner: &mut Inner,
        (item, device, seconds): (usize, &str, f64),
        error: &anyhow::Error,
    ) {
        close_line(inner, device);
        inner.tally.waiting = inner.tally.waiting.saturating_sub(1);
        inner.tally.failed += 1;
        inner.open.retain(|&open| open != item);
        let text = format!("{:>12}", duration(seconds));
        self.say(&self.line(&paint("failed ", Paint::Red), item, &text));
        self.explain(item, error);
    }

    /// A line above the live ones.
    pub fn say(&self, text: &str) {
        match &self.live {
            Some(live) => {
                let _ = live.println(text);
            }
            None => say(text),
        }
    }

    /// Takes the live lines away; the counts stay.
    pub fn close(&self) {
        if let Some(live) = &self.live {
            let _ = live.clear();
        }
        if let Ok(mut inner) = self.inner.lock() {
            inner.foot = None;
            inner.lines.clear();
        }
    }

    fn line(&self, word: &str, item: usize, text: &str) -> String {
        let cell = self.plan.first_cell(item);
        let more = match self.plan.items[item].cells.len() {
            1 => String::new(),
            n => format!(" (+{})", n - 1),
        };
        let at = format!("{}{more}", cell.label());
        let stage = self.plan.items[item].job.stage();
        let width = self.widest + 5;
        format!(
            "  {word} cell {:<3} {at:<width$} {stage:<8} {text}",
            cell.index
        )
        .trim_end()
        .to_string()
    }

    fn open_line(&self, inner: &mut Inner, item: usize, device: &str) {
        let now = Instant::now();
        let bar = self.live.as_ref().map(|live| match &inner.foot {
            Some(foot) => live.insert_before(foot, bar()),
            None => live.add(bar()),
        });
        if let Some(bar) = &bar {
            bar.set_message(self.line(&format!("{device:<7}"), item, ""));
        }
        let line = DeviceLine {
            item,
            bar,
            started: now,
            first: None,
            spoke: now,
        };
        inner.lines.insert(device.to_string(), line);
    }

    fn progress(&self, inner: &mut Inner, item: usize, device: &str, progress: &Progress) {
        let Some(line) = inner.lines.get_mut(device) else {
            return;
        };
        let (since, from) = *line
            .first
            .get_or_insert((line.started, first_done(progress)));
        let seconds = since.elapsed().as_secs_f64();
        let text = pace(progress, from, seconds);
        let text = self.line(&format!("{device:<7}"), item, &text);
        match &line.bar {
            Some(bar) => bar.set_message(text),
            None if line.spoke.elapsed() >= PLAIN_EVERY => {
                line.spoke = Instant::now();
                say(&text);
            }
            None => {}
        }
    }

    fn scores(&self, item: usize) -> String {
        let item = &self.plan.items[item];
        let folder = self.store.folder(item.job.stage(), &item.key);
        let scores = match item.job.stage() {
            Stage::Metrics => scores(&folder).unwrap_or_default(),
            _ => Vec::new(),
        };
        scores
            .iter()
            .take(3)
            .map(|s| format!("  {} {}", s.metric, with_interval(s)))
            .collect()
    }

    /// The error, its hints and its log under a `failed` line.
    fn explain(&self, item: usize, error: &anyhow::Error) {
        let (text, hints) = parts(error);
        for line in text.lines() {
            self.say(&format!("          {line}"));
        }
        for hint in hints {
            let word = paint("hint:", Paint::Cyan);
            self.say(&format!("          {word} {hint}"));
        }
        let item = &self.plan.items[item];
        let log = self.store.folder(item.job.stage(), &item.key).join(LOG);
        self.say(&format!("          log: {}", log.display()));
    }

    fn foot(&self, inner: &Inner) {
        if let Some(foot) = &inner.foot {
            let Tally {
                done,
                failed,
                running,
                waiting,
            } = inner.tally;
            let counts =
                format!("{done} done, {failed} failed, {running} running, {waiting} waiting");
            let left = self.left(inner).map(duration);
            let left = left.map_or(String::new(), |left| format!("   about {left} left"));
            foot.set_message(format!("  {counts}{left}"));
        }
    }

    /// Seconds until all is done, once everything open has been measured.
    fn left(&self, inner: &Inner) -> Option<f64> {
        let expected = inner
            .open
            .iter()
            .map(|&n| inner.paces.expected(self.plan, n));
        let all: f64 = expected.sum::<Option<f64>>()?;
        let open = |line: &&DeviceLine| inner.open.contains(&line.item);
        let running = inner.lines.values().filter(open);
        let spent: f64 = running
            .map(|line| line.started.elapsed().as_secs_f64())
            .sum();
        (all > 0.0).then(|| (all - spent).max(0.0) / self.devices as f64)
    }
}

/// `3.01 [2.97, 3.06]`; without the bounds where there are none.
pub fn with_interval(score: &Score) -> String {
    let value = number(score.value);
    if score.low.is_finite() && score.high.is_finite() && score.low < score.high {
        format!("{value} [{}, {}]", number(score.low), number(score.high))
    } else {
        value
    }
}

/// Ends what a device was at, if it was at something: it waits again until more is told.
fn close_line(inner: &mut Inner, device: &str) {
    let Some(line) = inner.lines.remove(device) else {
        return;
    };
    inner.tally.running = inner.tally.running.saturating_sub(1);
    inner.tally.waiting += 1;
    if let Some(bar) = line.bar {
        bar.finish_and_clear();
    }
}

/// Work that was there before this run must not count as its speed.
fn first_done(progress: &Progress) -> u64 {
    if progress.done * 20 > progress.total {
        progress.done
    } else {
        0
    }
}

/// `31,000 / 50,000   1,020 images/min   18 min left`.
fn pace(progress: &Progress, from: u64, seconds: f64) -> String {
    let Progress {
        done, total, unit, ..
    } = progress;
    let mut text = format!("{} / {} {unit}", thousands(*done), thousands(*total));
    let made = done.saturating_sub(from);
    if made > 0 && seconds > 1.0 {
        let rate = made as f64 / seconds;
        let left = duration(total.saturating_sub(*done) as f64 / rate);
        text += &format!(
            "   {} {unit}/min   {left} left",
            thousands((rate * 60.0) as u64)
        );
    }
    if !progress.note.is_empty() {
        text += &format!("   {}", progress.note);
    }
    text
}
