//! How long a pass takes here, by making some: of the net itself where it is small enough, else of one like it.

use crate::experiment::nets::arch::{Arch, Trunk};
use crate::machine::cores::{beside, occupied};
use crate::nets::inventory;
use crate::stages::cost::ready::Ready;
use crate::stages::cost::work::{Subject, Workload};
use anyhow::{Context, Result};
use candle_core::Device;
use std::time::{Duration, Instant};

/// Weights of the largest net that is made up for a probe: 600 MB as f32.
const MOST_WEIGHTS: f64 = 150e6;
/// Multiply-adds of the first pass, from which the size of the next is chosen.
const FIRST_ON_CPU: f64 = 2e8;
const FIRST_ON_GPU: f64 = 2e11;
/// The share of a probe's time that one pass may take: the first warms up, and the middle one of the others counts.
const PASS: f64 = 0.2;
/// How often the pass may grow: a rate of few images is below that of many, which a step's fixed work is shared by.
const GROWTHS: usize = 4;
/// How many times as large another pass has to be to tell anything new.
const LEAST_GROWTH: f64 = 1.25;
const MOST_PASSES: usize = 25;
/// Base width and pixels a side below which no stand-in is made.
const NARROWEST: usize = 32;
const SMALLEST: usize = 8;

/// What a probe found.
#[derive(Clone, Copy, Debug)]
pub struct Probed {
    /// Seconds of one image.
    pub seconds: f64,
    /// For which share of its time the probe had a core: below 1 where other programs kept the CPU busy. 1 on a GPU.
    pub share: f64,
}

/// The time of `workload` on `device`, measured in about `time`.
///
/// # Errors
/// Where no such net can be built, or the device has no room for the probe.
pub fn measure(workload: &Workload, device: &Device, time: Duration) -> Result<Probed> {
    let (seconds, share) = beside(device, || occupied(|| measure_here(workload, device, time)));
    Ok(Probed {
        seconds: seconds?,
        share: if device.is_cpu() { share } else { 1.0 },
    })
}

fn measure_here(workload: &Workload, device: &Device, share: Duration) -> Result<f64> {
    let first = if device.is_cpu() {
        FIRST_ON_CPU
    } else {
        FIRST_ON_GPU
    };
    let each = |workload: &Workload| workload.multiplications().context("it has no count");
    let mut chosen = stand_in(workload, first)?;
    let mut seconds = time(&chosen, device, share.mul_f64(0.1))?;
    for _ in 0..GROWTHS {
        let rate = each(&chosen)? * chosen.batch as f64 / seconds;
        let next = stand_in(workload, rate * share.as_secs_f64() * PASS)?;
        let growth = each(&next)? * next.batch as f64 / (each(&chosen)? * chosen.batch as f64);
        if growth < LEAST_GROWTH {
            break;
        }
        chosen = next;
        seconds = time(&chosen, device, share.mul_f64(0.25))?;
    }
    let of_one = seconds / chosen.batch as f64;
    Ok(of_one * each(workload)? / each(&chosen)?)
}

/// Seconds of one pass: the median of as many as fit, after one that is not counted.
fn time(workload: &Workload, device: &Device, share: Duration) -> Result<f64> {
    let ready = Ready::new(workload, device)?;
    let started = Instant::now();
    ready.pass()?;
    let mut taken = Vec::new();
    while taken.is_empty() || (started.elapsed() < share && taken.len() < MOST_PASSES) {
        let before = Instant::now();
        ready.pass()?;
        taken.push(before.elapsed().as_secs_f64());
    }
    taken.sort_by(f64::total_cmp);
    Ok(taken[taken.len() / 2].max(1e-9))
}

/// The same with as many images a pass as `most` multiply-adds allow; where one is too many, with a smaller net.
fn stand_in(workload: &Workload, most: f64) -> Result<Workload> {
    let mut stand_in = workload.clone();
    loop {
        let each = stand_in.multiplications().context("it has no count")?;
        if each * stand_in.batch as f64 > most && stand_in.batch > 1 {
            stand_in.batch = ((most / each.max(1.0)) as usize).clamp(1, stand_in.batch - 1);
            continue;
        }
        let Subject::Net(arch) = &stand_in.subject else {
            return Ok(stand_in);
        };
        let too_large = weights(arch)? > MOST_WEIGHTS;
        let smaller = if too_large {
            narrower(arch)
        } else if each > most {
            // Fewer pixels leave the layers as they are; only then are they made narrower.
            coarser(arch).or_else(|| narrower(arch))
        } else {
            None
        };
        match smaller {
            Some(arch) => stand_in.subject = Subject::Net(arch),
            None => return Ok(stand_in),
        }
    }
}

fn weights(arch: &Arch) -> Result<f64> {
    let tensors = inventory::tensors(arch)?;
    let size = |shape: &[usize]| shape.iter().map(|side| *side as f64).product::<f64>();
    Ok(tensors.iter().map(|entry| size(&entry.shape)).sum())
}

fn trunk_of(arch: &mut Arch) -> Option<&mut Trunk> {
    match arch {
        Arch::Unet(net) | Arch::SuperRes(net) => Some(&mut net.trunk),
        Arch::Classifier(net) => Some(&mut net.trunk),
        Arch::Features(_) => None,
    }
}

/// The net for images of half as many pixels a side, where there is one.
fn coarser(arch: &Arch) -> Option<Arch> {
    let mut arch = arch.clone();
    if let Arch::SuperRes(net) = &mut arch {
        net.low_resolution = net.low_resolution.map(|low| (low / 2).max(1));
    }
    let trunk = trunk_of(&mut arch)?;
    trunk.resolution /= 2;
    trunk.attention.iter_mut().for_each(|pixels| *pixels /= 2);
    trunk.attention.retain(|pixels| *pixels > 0);
    (trunk.resolution >= SMALLEST && inventory::tensors(&arch).is_ok()).then_some(arch)
}

/// The net of half the width, where there is one; heads of a fixed width are half as wide too.
fn narrower(arch: &Arch) -> Option<Arch> {
    let mut arch = arch.clone();
    let trunk = trunk_of(&mut arch)?;
    trunk.channels /= 2;
    trunk.channels_per_head = trunk.channels_per_head.map(|width| (width / 2).max(1));
    (trunk.channels >= NARROWEST && inventory::tensors(&arch).is_ok()).then_some(arch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::file::experiment::Precision;
    use crate::experiment::nets::presets;
    use crate::stages::cost::work::Operation;

    fn workload(preset: &str, batch: usize) -> Workload {
        Workload {
            subject: Subject::Net(presets::arch(preset).unwrap().0),
            operation: Operation::Forward,
            dtype: Precision::F32,
            batch,
        }
    }

    #[test]
    fn a_small_net_is_probed_itself_with_fewer_images() {
        let asked = workload("shapes16", 50);
        let each = asked.multiplications().unwrap();
        assert_eq!(stand_in(&asked, 1e12).unwrap(), asked);
        let fewer = stand_in(&asked, 3.5 * each).unwrap();
        assert_eq!((fewer.batch, &fewer.subject), (3, &asked.subject));
    }

    #[test]
    fn a_large_net_has_a_stand_in_that_fits() {
        for preset in [
            "imagenet64",
            "imagenet256",
            "imagenet512",
            "imagenet64-to-256",
        ] {
            let small = stand_in(&workload(preset, 50), 3e9).unwrap();
            let each = small.multiplications().unwrap();
            assert!(small.batch == 1 && each <= 3e9, "{preset}: {each}");
            let Subject::Net(arch) = &small.subject else {
                panic!("a net")
            };
            assert!(weights(arch).unwrap() <= MOST_WEIGHTS);
        }
    }
}
