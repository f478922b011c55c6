//! Where jobs run: each device a place, and cards that only programs can use.

use crate::jobs::job::Job;
use crate::process::gpus;
use crate::run::device::named::{CPU, Named, devices};
use anyhow::{Result, ensure};
use candle_core::Device;

/// A place where jobs run, one at a time.
#[derive(Clone, Debug)]
pub struct Slot {
    pub device: Named,
    pub takes: Takes,
}

/// Which jobs a place takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Everything,
    /// Those that calculate here, and programs that ask for no device.
    Nets,
    /// Programs that ask for a device, on a card that this build cannot use itself.
    Programs,
}

impl Slot {
    /// Whether it takes this job.
    pub fn takes(&self, job: &Job) -> bool {
        let asked = job.program().map(|program| program.devices);
        match self.takes {
            Takes::Everything => true,
            Takes::Nets => asked.is_none_or(|devices| devices == 0),
            Takes::Programs => asked.is_some_and(|devices| devices > 0),
        }
    }

    /// Whether programs may be given its device.
    pub fn is_for_programs(&self) -> bool {
        self.takes != Takes::Nets
    }
}

/// The places where `jobs` run: the devices of a comma-separated list, or every one that is there. A build without CUDA
/// cannot use a card itself, and a program can: without a list, such cards are places for programs, and the CPU is for the
/// rest.
///
/// # Errors
/// A name that is no device, and a job that asks for more devices than there are.
pub fn slots<'a>(list: Option<&str>, jobs: impl Iterator<Item = &'a Job>) -> Result<Vec<Slot>> {
    let all = |device| Slot {
        device,
        takes: Takes::Everything,
    };
    let mut slots: Vec<Slot> = devices(list)?.into_iter().map(all).collect();
    let most = jobs.filter_map(|job| Some(job.program()?.devices)).max();
    let Some(most) = most else {
        return Ok(slots);
    };
    let cards = gpus::visible().len();
    let here = slots.iter().any(|slot| slot.device.name != CPU);
    if list.is_none() && !here && cards > 0 {
        slots.iter_mut().for_each(|slot| slot.takes = Takes::Nets);
        slots.extend((0..cards).map(|n| Slot {
            device: Named {
                name: format!("cuda:{n}"),
                device: Device::Cpu,
            },
            takes: Takes::Programs,
        }));
    }
    let there: Vec<&str> = slots
        .iter()
        .filter(|slot| slot.is_for_programs())
        .map(|slot| slot.device.name.as_str())
        .collect();
    ensure!(
        most <= there.len(),
        "a command asks for {most} devices, and there {}: {}\nhint: lower `devices`, or give it more with --device",
        if there.len() == 1 {
            "is 1"
        } else {
            "are fewer"
        },
        there.join(", ")
    );
    Ok(slots)
}
