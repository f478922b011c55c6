//! What was measured of a device, kept in a file of its own, and what follows for other nets.

use crate::io::disk::{read_json, write_json};
use crate::machine::isa::Isa;
use crate::process::table;
use crate::stages::cost::probe::{self, Probed};
use crate::stages::cost::work::{Subject, Work, Workload};
use anyhow::{Context, Result};
use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long the probes of a device take together, about.
pub const PROBE: Duration = Duration::from_secs(5);
/// The share of its time for which a probe has to have a core, or its workload is probed again by the next plan.
pub const ALONE: f64 = 0.75;
/// Workloads that are probed at once; others are estimated by the nearest of these.
const MOST: usize = 8;
/// How many times as many multiply-adds a workload of the same kind may have to be estimated by one that was measured.
const NEAR: f64 = 1.5;

/// One workload's time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub workload: Workload,
    /// Seconds of one image.
    pub seconds: f64,
    /// For which share of its time the probe had a core; below [`ALONE`] other programs made it longer.
    #[serde(default = "whole")]
    pub share: f64,
}

fn whole() -> f64 {
    1.0
}

/// What is known of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    pub host: String,
    pub device: String,
    /// The program that measured; another one measures again.
    pub build: String,
    pub threads: usize,
    /// RFC 3339, UTC.
    pub at: String,
    pub measured: Vec<Measured>,
}

fn build() -> String {
    let features = if cfg!(feature = "cuda") { " cuda" } else { "" };
    let version = env!("CARGO_PKG_VERSION");
    format!("{version}{features} {:?}", Isa::best()).to_lowercase()
}

/// Where the rates of this machine's device `device` are kept below the cache.
pub fn file(cache: &Path, device: &str) -> PathBuf {
    let name = format!("{}-{device}", table::host());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let name: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    cache.join("rates").join(format!("{name}.json"))
}

impl Rates {
    /// Nothing is known yet of this machine's device `device`.
    pub fn none(device: &str) -> Rates {
        Rates {
            host: table::host(),
            device: device.to_string(),
            build: build(),
            threads: rayon::current_num_threads(),
            at: String::new(),
            measured: Vec::new(),
        }
    }

    /// What was kept by this build with as many threads; nothing otherwise, and nothing of a file that cannot be read.
    pub fn read(path: &Path, device: &str) -> Rates {
        let fresh = Rates::none(device);
        let kept: Option<Rates> = read_json(path).ok();
        let fits = |kept: &Rates| {
            let of = |rates: &Rates| (rates.host.clone(), rates.device.clone(), rates.threads);
            let sound = |one: &Measured| one.seconds.is_finite() && one.seconds > 0.0;
            of(kept) == of(&fresh) && kept.build == fresh.build && kept.measured.iter().all(sound)
        };
        kept.filter(fits).unwrap_or(fresh)
    }

    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        write_json(path, self)
    }

    /// Which of these are to be probed, because nothing near them was measured on cores of its own or is to be: at most eight,
    /// those of the most multiply-adds first.
    pub fn missing(&self, work: &[Work]) -> Vec<Workload> {
        // By address: a plan has one of each.
        let mut sums: HashMap<*const Workload, (&Workload, f64)> = HashMap::new();
        for work in work {
            let Some(each) = work.each else { continue };
            let place = sums.entry(Arc::as_ptr(&work.workload));
            place.or_insert((&work.workload, 0.0)).1 += each * work.images;
        }
        let far = |workload: &Workload| {
            let mut known = self.measured.iter().filter(|known| known.share >= ALONE);
            !known.any(|known| is_near(&known.workload, workload))
        };
        let mut wanted: Vec<(&Workload, f64)> = sums.into_values().collect();
        wanted.retain(|(workload, _)| far(workload));
        wanted.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut chosen: Vec<Workload> = Vec::new();
        for (workload, _) in wanted {
            if chosen.len() < MOST && !chosen.iter().any(|other| is_near(other, workload)) {
                chosen.push(workload.clone());
            }
        }
        chosen
    }

    /// Probes these on `device`, in about [`PROBE`] together, and gives the smallest share of a probe's time for which it had
    /// a core: below [`ALONE`] other programs kept the machine busy, and the times are longer than they would be without them.
    ///
    /// # Errors
    /// Where a net cannot be built or the device has no room for it; those before are kept in `self`.
    pub fn probe(&mut self, workloads: &[Workload], device: &Device) -> Result<f64> {
        let each = PROBE / workloads.len().max(1) as u32;
        let mut least: f64 = 1.0;
        for workload in workloads {
            let probed = probe::measure(workload, device, each)?;
            least = least.min(probed.share);
            self.keep(workload, probed);
        }
        self.at = jiff::Timestamp::now().to_string();
        Ok(least)
    }

    /// In place of what was measured near it while other programs had the cores.
    fn keep(&mut self, workload: &Workload, probed: Probed) {
        self.measured
            .retain(|old| old.share >= ALONE || !is_near(&old.workload, workload));
        self.measured.push(Measured {
            workload: workload.clone(),
            seconds: probed.seconds,
            share: probed.share,
        });
    }

    fn exact(&self, workload: &Workload) -> Option<&Measured> {
        let mut measured = self.measured.iter();
        measured.find(|measured| measured.workload == *workload)
    }

    /// Seconds of one image: as measured, else by the multiply-adds of the nearest workload that was measured.
    pub fn seconds(&self, workload: &Workload) -> Option<f64> {
        if let Some(measured) = self.exact(workload) {
            return Some(measured.seconds);
        }
        let asked = workload.multiplications()?;
        let nearest = self.measured.iter().min_by(|a, b| {
            let to = |other: &Measured| distance(&other.workload, workload);
            let (a, b) = (to(a), to(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })?;
        let counted = nearest.workload.multiplications()?;
        Some(nearest.seconds * asked / counted)
    }
}

/// In how much two workloads differ in kind, and how far their multiply-adds are apart, as a logarithm.
fn distance(a: &Workload, b: &Workload) -> (usize, f64) {
    let family = |w: &Workload| match &w.subject {
        Subject::Net(arch) => arch.title(),
        Subject::Inception => "Inception",
    };
    let unlike = [
        a.operation != b.operation,
        a.dtype != b.dtype,
        family(a) != family(b),
    ];
    let unlike = unlike.into_iter().filter(|unlike| *unlike).count();
    let apart = a.multiplications().zip(b.multiplications());
    let apart = apart.map_or(f64::INFINITY, |(a, b)| (a / b).ln().abs());
    (unlike, apart)
}

fn is_near(a: &Workload, b: &Workload) -> bool {
    let (unlike, apart) = distance(a, b);
    unlike == 0 && apart <= NEAR.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::file::experiment::Precision;
    use crate::experiment::nets::presets;
    use crate::stages::cost::work::Operation;

    fn workload(preset: &str, operation: Operation) -> Workload {
        Workload {
            subject: Subject::Net(presets::arch(preset).unwrap().0),
            operation,
            dtype: Precision::F32,
            batch: 50,
        }
    }

    fn probed(seconds: f64, share: f64) -> Probed {
        Probed { seconds, share }
    }

    fn work(workload: &Workload, images: f64) -> Work {
        Work {
            workload: Arc::new(workload.clone()),
            each: workload.multiplications(),
            images,
        }
    }

    #[test]
    fn what_was_measured_is_kept_and_the_nearest_stands_for_the_rest() {
        let small = workload("shapes16", Operation::Forward);
        let large = workload("imagenet64", Operation::Forward);
        let guide = workload("shapes16-classifier", Operation::InputGradient);
        let mut rates = Rates::none("cpu");
        assert_eq!(rates.seconds(&small), None);
        let all = [work(&small, 10.0), work(&large, 1.0), work(&small, 10.0)];
        assert_eq!(rates.missing(&all), [large.clone(), small.clone()]);
        for (workload, seconds) in [(&small, 0.001), (&large, 2.0), (&guide, 0.0005)] {
            rates.keep(workload, probed(seconds, 1.0));
        }
        assert_eq!(rates.missing(&all), []);
        assert_eq!(rates.seconds(&small), Some(0.001));
        let unseen = workload("shapes32", Operation::Forward);
        let times = unseen.multiplications().unwrap() / small.multiplications().unwrap();
        let seconds = rates.seconds(&unseen).unwrap();
        assert!((seconds / (0.001 * times) - 1.0).abs() < 1e-9, "{seconds}");
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "cuda:0");
        rates.write(&path).unwrap();
        assert_eq!(Rates::read(&path, "cpu"), rates);
        assert_eq!(Rates::read(&path, "cuda:0").measured, []);
        fs::write(&path, "{").unwrap();
        assert_eq!(Rates::read(&path, "cpu"), Rates::none("cpu"));
    }

    #[test]
    fn what_was_measured_beside_other_programs_is_used_and_measured_again() {
        let net = workload("shapes16", Operation::Forward);
        let mut rates = Rates::none("cpu");
        rates.keep(&net, probed(0.01, 0.3));
        assert_eq!(rates.seconds(&net), Some(0.01));
        assert_eq!(
            rates.missing(&[work(&net, 1.0)]),
            std::slice::from_ref(&net)
        );
        rates.keep(&net, probed(0.003, 0.98));
        assert_eq!(rates.seconds(&net), Some(0.003));
        assert_eq!(rates.missing(&[work(&net, 1.0)]), []);
    }

    #[test]
    fn rates_of_another_build_or_of_nonsense_are_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "cpu");
        let mut rates = Rates::none("cpu");
        rates.keep(&workload("shapes16", Operation::Forward), probed(-1.0, 1.0));
        rates.write(&path).unwrap();
        assert_eq!(Rates::read(&path, "cpu").measured, []);
        rates.measured[0].seconds = 1.0;
        rates.build = "another".to_string();
        rates.write(&path).unwrap();
        assert_eq!(Rates::read(&path, "cpu").measured, []);
    }
}
