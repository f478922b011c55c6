//! Which devices a job gets, and the wait for them where other processes use them.

use crate::jobs::granted::{Device, Granted};
use crate::jobs::job::Job;
use crate::machine::profile::{Operation, span};
use crate::process::device_lock::{folder, holder, try_lock};
use crate::process::gpus;
use crate::run::device::named::CPU;
use crate::run::device::slots::Slot;
use anyhow::Result;
use std::path::Path;
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
    let (folder, what) = (folder()?, format!("a {} job of a sweep", job.stage()));
    let mut told = false;
    loop {
        if let Some(granted) = all_of(count, &among, &folder, &what)? {
            return Ok(Some(granted));
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if !told {
            told = true;
            waiting(in_use(&among, &folder));
        }
        let _span = span(Operation::WaitDevice);
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// `count` free devices of `among`, or none: two that each wait for the other's would wait for ever.
fn all_of(count: usize, among: &[&str], folder: &Path, what: &str) -> Result<Option<Granted>> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut granted = Granted::default();
    for name in among {
        if granted.devices.len() == count {
            break;
        }
        if let Some(lock) = try_lock(folder, &[lock_name(name)], what)? {
            granted.devices.push(Device {
                name: name.to_string(),
                card: card(name),
            });
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
        Some(card) => gpus::lock_name(&card),
        None => name.to_string(),
    }
}

fn in_use(among: &[&str], folder: &Path) -> String {
    let one = |name: &&str| match holder(folder, &lock_name(name)) {
        Ok(Some(holder)) => format!("{name} ({holder})"),
        Ok(None) | Err(_) => name.to_string(),
    };
    among.iter().map(one).collect::<Vec<_>>().join(", ")
}
