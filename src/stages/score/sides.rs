//! The two sides of a score, described once for each way of resizing that the presets ask for: sets of samples, references,
//! and any set beside any reference.

use crate::data::gallery::Gallery;
use crate::data::labels::balance::Spread;
use crate::data::left_out::LeftOut;
use crate::data::survey::{Finding, Survey, stored_statistics};
use crate::experiment::scoring::feature_space::Input;
use crate::experiment::scoring::rules::{FEWEST, Preprocessing, Rules};
use crate::io::statistics::Which;
use crate::jobs::context::{Progress, Watch};
use crate::jobs::inputs::reference_file::{Holds, holds};
use crate::jobs::sharing::claims::Claims;
use crate::stages::describe::described::{Described, Kind};
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::images::{self, Order, Share};
use crate::stages::score::reference::{Opened, Real};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// By which net and for whose rules both sides are described, and where their parts lie.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    pub extractor: &'a Extractor,
    /// sha256 of the net's weights.
    pub weights: &'a str,
    pub rules: &'a [Rules],
    pub store: &'a Path,
    pub part: usize,
    pub share: Share,
    /// Who describes which part, where other processes score the same images.
    pub claims: &'a dyn Claims,
}

impl Setup<'_> {
    /// The ways of resizing that the rules ask for, each once; a net that takes images as they are has one.
    fn ways(&self) -> Vec<Preprocessing> {
        let mut hows: Vec<Preprocessing> = self.rules.iter().map(|r| r.preprocessing).collect();
        hows.sort();
        hows.dedup();
        if self.extractor.space().input == Input::AsTrained {
            hows.truncate(1);
        }
        hows
    }

    /// What is missing of a set, by every way; None where parts are left to others. What is told has `side` as its
    /// note.
    fn describe(
        &self,
        gallery: &Arc<Gallery>,
        side: &str,
        watch: Watch,
    ) -> Result<Option<Vec<Described>>> {
        let tell = &|progress| {
            let note = side.to_string();
            watch.tell(Progress { note, ..progress });
        };
        let order = Order {
            gallery: gallery.clone(),
            extractor: self.extractor,
            weights: self.weights,
            preprocessings: &self.ways(),
            mixed_sizes: self.rules.iter().all(|rules| rules.mixed_sizes),
            store: self.store,
            part: self.part,
            share: self.share,
            claims: self.claims,
        };
        images::run(&order, Watch { tell, ..watch })
    }
}

/// A set of samples, described once however many references it is compared with.
pub struct Samples {
    gallery: Arc<Gallery>,
    described: Vec<Described>,
    /// Files of the set that hold statistics beside their images.
    beside: Option<Finding>,
}

impl Samples {
    /// Describes what is missing; None where parts are left to others.
    ///
    /// # Errors
    /// Images that cannot be read, and fewer than a score needs.
    pub fn describe(setup: &Setup, paths: &[String], watch: Watch) -> Result<Option<Samples>> {
        let gallery = Arc::new(images::open(paths, "samples", &watch)?);
        let n = gallery.len();
        ensure!(
            n >= FEWEST,
            "a score needs at least {FEWEST} images, not {n}"
        );
        let Some(described) = setup.describe(&gallery, "samples", watch)? else {
            return Ok(None);
        };
        Ok(Some(Samples {
            gallery,
            described,
            beside: beside_images(paths)?,
        }))
    }

    /// Images.
    pub fn count(&self) -> usize {
        self.gallery.len()
    }

    /// How their labels are spread over classes, where they have some.
    pub fn labels(&self) -> Option<Spread> {
        self.gallery.labels()
    }
}

/// A reference whose statistics are read, and whose images are not yet described.
pub struct Reference<'a> {
    pub path: &'a str,
    opened: Opened,
}

impl<'a> Reference<'a> {
    /// Reads what statistics there are, before hours are spent on samples.
    ///
    /// # Errors
    /// A file that cannot be read, and one of `runner reference` by another net or another way of resizing.
    pub fn open(setup: &Setup, path: &'a str, which: Which) -> Result<Reference<'a>> {
        let (hows, space) = (setup.ways(), setup.extractor.space());
        let named: Vec<_> = hows.iter().map(|how| space.resizing(*how)).collect();
        let opened = Opened::open(Path::new(path), which, setup.weights, &named)?;
        Ok(Reference { path, opened })
    }

    /// Describes what is missing of its images, where the rules compare with them; None where parts are left to
    /// others.
    ///
    /// # Errors
    /// Images that cannot be read.
    pub fn describe(self, setup: &Setup, watch: Watch) -> Result<Option<Target>> {
        let (mut left_out, mut described) = (LeftOut::default(), None);
        if self.opened.needs_images(setup.rules) {
            let gallery = Arc::new(images::open(&[self.path], "reference", &watch)?);
            left_out = gallery.left_out();
            described = setup.describe(&gallery, "reference", watch)?;
            if described.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(Target {
            path: self.path.to_string(),
            reals: self.opened.with(described.as_deref())?,
            left_out,
        }))
    }
}

/// What samples are compared with.
pub struct Target {
    path: String,
    reals: Vec<Real>,
    left_out: LeftOut,
}

impl Target {
    /// Images behind its moments, where known.
    pub fn count(&self) -> Option<u64> {
        self.reals.first().and_then(|real| real.count)
    }
}

/// Samples and reference as one way of resizing shows them.
pub struct Sides<'a> {
    pub how: Preprocessing,
    pub samples: &'a Described,
    pub real: &'a Real,
}

/// A set beside a reference, and what is odd about them.
pub struct Compared<'a> {
    /// At least one.
    pub sides: Vec<Sides<'a>>,
    pub findings: Vec<Finding>,
    pub left_out: BothLeftOut,
}

/// What lay beside the images of both sides; an object in JSON.
#[derive(Serialize)]
pub struct BothLeftOut {
    #[serde(skip_serializing_if = "LeftOut::is_empty")]
    pub samples: LeftOut,
    /// Empty where no image of the reference was asked for.
    #[serde(skip_serializing_if = "LeftOut::is_empty")]
    pub reference: LeftOut,
}

impl BothLeftOut {
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.reference.is_empty()
    }
}

/// A set beside a reference, both described by the same set-up.
///
/// # Errors
/// Features of another net than the reference's.
pub fn compare<'a>(
    setup: &Setup,
    samples: &'a Samples,
    target: &'a Target,
) -> Result<Compared<'a>> {
    let both = samples.described.iter().zip(&target.reals);
    let sides = setup.ways().into_iter().zip(both);
    let sides = sides.map(|(how, (samples, real))| Sides { how, samples, real });
    let sides: Vec<Sides> = sides.collect();
    for side in &sides {
        check(side.samples, side.real, &target.path)?;
    }
    let first = sides.first().context("no preprocessing is asked for")?;
    let mut findings = findings(first.samples, first.real, &|i| samples.gallery.name(i))?;
    findings.extend(samples.beside.clone());
    Ok(Compared {
        sides,
        findings,
        left_out: BothLeftOut {
            samples: samples.gallery.left_out(),
            reference: target.left_out.clone(),
        },
    })
}

/// Samples are images, whatever their file holds beside them; that it holds statistics is told.
fn beside_images(samples: &[String]) -> Result<Option<Finding>> {
    let mut both = Vec::new();
    for path in samples {
        if holds(Path::new(path))? == Holds::StatisticsAndImages {
            both.push(path.clone());
        }
    }
    Ok(stored_statistics(&both, samples.len()))
}

/// Other features than the reference's measure nothing.
pub fn check(samples: &Described, real: &Real, reference: &str) -> Result<()> {
    use crate::metrics::rows::Rows;
    for (kind, real) in [
        (Kind::Pool, Some(&real.pool)),
        (Kind::Spatial, real.spatial.as_ref()),
    ] {
        let Some(real) = real else { continue };
        let (ours, theirs) = (samples.rows(kind)?.dim(), real.dim());
        ensure!(
            ours == theirs,
            "{reference} has {theirs} features, the samples have {ours}\nhint: both must come from one feature network",
        );
    }
    Ok(())
}

/// What is odd about the samples, by themselves and beside the reference; `name` says where a sample lies.
pub fn findings(
    samples: &Described,
    real: &Real,
    name: &dyn Fn(usize) -> String,
) -> Result<Vec<Finding>> {
    let survey: Survey = samples.survey()?;
    let mut found = survey.findings(real.pool.dim(), name);
    if let Some(real) = &real.survey {
        found.extend(survey.findings_beside(real, name));
    }
    Ok(found)
}
