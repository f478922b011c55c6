//! What `score` and `evaluator` share: a feature net is opened, sets and references are described once each, and every set
//! is measured against every reference.

use crate::cli::cache::{self, Cache};
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{error, say, short, thousands, warning};
use crate::data::labels::balance::Spread;
use crate::data::survey::{Finding, Oddity};
use crate::experiment::key::digest_file;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::rules::{Preprocessing, Rules};
use crate::io::statistics::Which;
use crate::jobs::context::{Progress, Stopped, Watch};
use crate::jobs::files::results::FEW;
use crate::machine::profile::{Operation, span};
use crate::run::device::named::devices;
use crate::stages::describe::extract::Extractor;
use crate::stages::score::measured::Measured;
use crate::stages::score::scorer::Scorer;
use crate::stages::score::sides::compare;
use crate::stages::score::sides::{BothLeftOut, Compared, Reference, Samples, Setup, Target};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What a stopped command says of what it has made.
pub const KEPT: &str = "complete parts are kept";

/// The feature net of a call.
pub struct Net {
    pub extractor: Extractor,
    /// sha256 of its weights.
    pub weights: String,
}

impl Net {
    /// Opens the weights that are named, or the fetched Inception's, and says whose they are.
    pub fn open(
        named: Option<&Path>,
        key: Option<&str>,
        device: Option<&str>,
        cache: &Cache,
    ) -> Result<Net> {
        let file = cache::weights(named, cache)?;
        let device = devices(device)?.swap_remove(0);
        let weights = {
            let _span = span(Operation::Hash);
            digest_file(&file).context("--weights")?
        };
        let extractor = Extractor::open(&file, key, &device.device)?;
        tell_weights(extractor.space(), &weights);
        tell_prefix(&extractor);
        Ok(Net { extractor, weights })
    }
}

/// Whose file the weights of a published network are.
fn tell_weights(space: &FeatureSpace, digest: &str) {
    if !space.is_published() {
        return;
    }
    match space.published(digest) {
        Some(name) => say(&format!("weights: {name}, sha256 {}", &digest[..8])),
        None => warning(&format!(
            "the weights (sha256 {}) are no published file whose digest is known; their numbers compare with no paper's",
            &digest[..8]
        )),
    }
}

/// That names were read through a wrapper's prefix.
pub(crate) fn tell_prefix(extractor: &Extractor) {
    let prefix = &extractor.prefix;
    if !prefix.is_empty() {
        say(&format!(
            "--weights: all names begin with `{prefix}`, which is passed over"
        ));
    }
}

/// What stands in every result.
pub struct About {
    pub samples: String,
    pub reference: String,
    /// sha256 of the feature net's weights.
    pub weights: String,
    pub count: usize,
    /// Images behind the reference's moments, where known.
    pub real: Option<u64>,
}

/// One evaluator's numbers.
pub struct Column {
    pub preset: String,
    pub preprocessing: Preprocessing,
    pub measured: Vec<Measured>,
}

/// A set against a reference.
pub struct Scored {
    /// Whether they are all that was asked for, so that nothing has to say of which set and reference it is.
    pub alone: bool,
    pub about: About,
    pub columns: Vec<Column>,
    pub findings: Vec<Finding>,
    pub labels: Option<Spread>,
    pub left_out: BothLeftOut,
}

/// Which sets are measured against which references, and how.
pub struct Task<'a> {
    pub setup: Setup<'a>,
    /// The paths of each set.
    pub sets: Vec<Vec<String>>,
    pub references: Vec<String>,
    /// Which statistics of a reference file that holds several.
    pub which: Which<'a>,
    /// Presets by name, with their rules.
    pub chosen: &'a [(String, Rules)],
    /// Whether what SciPy's path prints of singular covariances is measured too.
    pub compat: bool,
    pub stop: &'a AtomicBool,
}

/// How a task ended.
#[derive(Default)]
pub struct Outcome {
    /// By set, then by reference.
    pub scored: Vec<Scored>,
    /// Sets, references and pairs of them that failed, each of which was told.
    pub failed: usize,
    /// Sets and references of which parts are left to others. Nothing is measured before they are there.
    pub incomplete: usize,
}

impl Task<'_> {
    /// Whether there is one set and one reference, so that what fails ends the call.
    pub fn is_single(&self) -> bool {
        self.sets.len() == 1 && self.references.len() == 1
    }

    /// Describes and measures. Where there are several sets or references, one that fails is told and passed over.
    ///
    /// # Errors
    /// [`Stopped`] where somebody asked to stop, and what fails of a single set and reference.
    pub fn run(&self) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        // References are opened before hours are spent on samples.
        let mut references = Vec::new();
        for path in &self.references {
            let opened = Reference::open(&self.setup, path, self.which);
            references.extend(self.passed(opened, path, &mut outcome)?);
        }
        let mut sets = Vec::new();
        for paths in self.sets.iter().filter(|_| !references.is_empty()) {
            let name = paths.join(" ");
            let made = self.watched(|watch| Samples::describe(&self.setup, paths, watch));
            let made = self.whole(made, &name, &mut outcome)?;
            sets.extend(made.map(|samples| (name, samples)));
        }
        if sets.is_empty() && outcome.incomplete == 0 {
            return Ok(outcome);
        }
        let (mut scored, told) = (Vec::new(), RefCell::default());
        for reference in references {
            let path = reference.path;
            let made = self.watched(|watch| reference.describe(&self.setup, watch));
            let target = self.whole(made, path, &mut outcome)?;
            let Some(target) = target.filter(|_| outcome.incomplete == 0) else {
                continue;
            };
            for (at, (name, samples)) in sets.iter().enumerate() {
                let about = About {
                    samples: name.clone(),
                    reference: path.to_string(),
                    weights: self.setup.weights.to_string(),
                    count: samples.count(),
                    real: target.count(),
                };
                let made = self.score(about, samples, &target, &told);
                let made = self.passed(made, &format!("{name} against {path}"), &mut outcome)?;
                scored.extend(made.map(|made| (at, made)));
            }
        }
        if outcome.incomplete == 0 {
            scored.sort_by_key(|(at, _)| *at);
            outcome.scored = scored.into_iter().map(|(_, scored)| scored).collect();
        }
        Ok(outcome)
    }

    /// What was described; what failed is told, and what parts are left of to others is counted.
    fn whole<T>(
        &self,
        made: Result<Option<T>>,
        name: &str,
        outcome: &mut Outcome,
    ) -> Result<Option<T>> {
        let made = self.passed(made, name, outcome)?;
        outcome.incomplete += usize::from(matches!(made, Some(None)));
        Ok(made.flatten())
    }

    /// What was made; what failed is told with its name, unless it is all that was asked for.
    fn passed<T>(&self, made: Result<T>, name: &str, outcome: &mut Outcome) -> Result<Option<T>> {
        match made {
            Ok(made) => Ok(Some(made)),
            Err(fault) if self.is_single() || fault.is::<Stopped>() => Err(fault),
            Err(fault) => {
                outcome.failed += 1;
                error(&fault.context(name.to_string()));
                Ok(None)
            }
        }
    }

    /// Work on images, with a live line on how far it is.
    fn watched<T>(&self, work: impl FnOnce(Watch) -> Result<T>) -> Result<T> {
        let (live, started) = (Live::start(), Instant::now());
        let tell = |progress: Progress| {
            let Progress {
                done,
                total,
                note: side,
                ..
            } = progress;
            let pace = done as f64 / started.elapsed().as_secs_f64();
            live.set(format!(
                "{side}: {} / {} images   {} images/s",
                thousands(done),
                thousands(total),
                short(pace)
            ));
        };
        let watch = Watch {
            tell: &tell,
            warn: &warning,
            stop: self.stop,
        };
        watch.go_on()?;
        let made = work(watch);
        drop(live);
        made
    }

    fn score(
        &self,
        about: About,
        samples: &Samples,
        target: &Target,
        told: &RefCell<HashSet<String>>,
    ) -> Result<Scored> {
        let both = compare(&self.setup, samples, target)?;
        let set = if self.sets.len() > 1 {
            format!("{}: ", about.samples)
        } else {
            String::new()
        };
        let warn = |text: String| {
            if told.borrow_mut().insert(text.clone()) {
                warning(&text);
            }
        };
        for finding in &both.findings {
            let of_reference = matches!(
                finding.oddity,
                Oddity::InReference | Oddity::OtherSizes | Oddity::Grey
            );
            warn(if of_reference && self.references.len() > 1 {
                format!("{set}against {}: {finding}", about.reference)
            } else {
                format!("{set}{finding}")
            });
        }
        if about.count < FEW {
            let distance = self.setup.extractor.space().own(Metric::Fid).row().label;
            let n = |count: usize| thousands(count as u64);
            warn(if self.is_single() {
                format!(
                    "{} samples: {distance} is biased upwards for few of them, by about what the column `bias` says; compare equal counts only",
                    n(about.count)
                )
            } else {
                // Of several sets it is said once.
                format!(
                    "sets of fewer than {} samples: {distance} is biased upwards for few of them; compare equal counts only",
                    n(FEW)
                )
            });
        }
        Ok(Scored {
            alone: self.is_single(),
            columns: self.measure(&both)?,
            about,
            findings: both.findings,
            labels: samples.labels(),
            left_out: both.left_out,
        })
    }

    fn measure(&self, both: &Compared) -> Result<Vec<Column>> {
        let mut scorers: Vec<Scorer> = both
            .sides
            .iter()
            .map(|side| Scorer::new(side.samples, side.real))
            .collect();
        for scorer in &mut scorers {
            scorer.compat = self.compat;
        }
        let live = Live::start();
        let mut columns = Vec::new();
        for (preset, rules) in self.chosen {
            let silent = Watch {
                tell: &|_| {},
                warn: &warning,
                stop: self.stop,
            };
            silent.go_on()?;
            // Nets that take images as they are have one pair of sides, whatever the rules say.
            let mut sides = both.sides.iter();
            let at = sides.position(|side| side.how == rules.preprocessing);
            let scorer = &mut scorers[at.unwrap_or(0)];
            let tell = |name: &str| live.set(format!("{preset}: {name}"));
            columns.push(Column {
                preset: preset.clone(),
                preprocessing: rules.preprocessing,
                measured: scorer.measure(rules, &tell)?,
            });
        }
        drop(live);
        Ok(columns)
    }
}
