//! Which devices a job gets, and the wait for them where other processes use them.

use crate::jobs::granted::Granted;
use crate::jobs::job::Job;
use crate::process::device_lock::{holder, try_lock};
use crate::process::gpus;
use crate::run::device::named::CPU;
use crate::run::device::slots::Slot;
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What `job`, which runs in `slot`, needs for itself: a program as many devices as it asks for, of all `slots`; a net of
/// ours its card. The CPU is a program's alone, and shared by nets of ours. None where `stop` came first.
///
/// # Errors
/// Where the folder of the locks cannot be used.
pub fn devices_for(
    job: &Job,
    slot: &Slot,
    slots: &[Slot],
    stop: &AtomicBool,
    waiting: &dyn Fn(String),
) -> Result<Option<Granted>> {
    let own = slot.device.name.as_str();
    let (count, among): (usize, Vec<&str>) = match job.program() {
        None if own == CPU => return Ok(Some(Granted::default())),
        None => (1, vec![own]),
        Some(program) => {
            let others = slots.iter().filter(|other| other.is_for_programs());
            let others = others.map(|other| other.device.name.as_str());
            let others = others.filter(|name| *name != own);
            let own = Some(own).filter(|_| slot.is_for_programs());
            (program.devices, own.into_iter().chain(others).collect())
        }
    };
    let mut told = false;
    loop {
        if let Some(granted) = all_of(count, &among)? {
            return Ok(Some(granted));
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if !told {
            told = true;
            waiting(in_use(&among));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// `count` free devices of `among`, or none: two that each wait for the other's would wait for ever.
fn all_of(count: usize, among: &[&str]) -> Result<Option<Granted>> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut granted = Granted::default();
    for name in among {
        if granted.devices.len() == count {
            break;
        }
        if let Some(lock) = try_lock(&[lock_name(name)])? {
            granted.devices.push((name.to_string(), card(name)));
            granted.locks.push(lock);
        }
    }
    Ok(Some(granted).filter(|granted| granted.devices.len() == count))
}

/// What CUDA knows the card `cuda:N` by; none for the CPU.
fn card(name: &str) -> Option<String> {
    let n: usize = name.strip_prefix("cuda:")?.parse().ok()?;
    let visible = gpus::visible();
    Some(visible.get(n).cloned().unwrap_or_else(|| n.to_string()))
}

/// One name a card, whatever a process calls it.
fn lock_name(name: &str) -> String {
    match card(name) {
        Some(card) => format!("cuda-{card}"),
        None => name.to_string(),
    }
}

fn in_use(among: &[&str]) -> String {
    let one = |name: &&str| match holder(&lock_name(name)) {
        Some(holder) => format!("{name} (process {})", holder.pid),
        None => name.to_string(),
    };
    among.iter().map(one).collect::<Vec<_>>().join(", ")
}
