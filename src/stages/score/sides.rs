//! The two sides of a score, described: samples and reference, once for each way of resizing that the presets ask for.

use crate::data::gallery::Gallery;
use crate::data::labels::balance::Spread;
use crate::data::left_out::LeftOut;
use crate::data::survey::{Finding, Survey, stored_statistics};
use crate::experiment::scoring::feature_space::Input;
use crate::experiment::scoring::rules::{FEWEST, Preprocessing, Rules};
use crate::io::statistics::Which;
use crate::jobs::context::{Progress, Watch};
use crate::jobs::inputs::reference_file::{Holds, holds};
use crate::stages::describe::described::{Described, Kind};
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::images::{self, Order};
use crate::stages::score::reference::{Opened, Real};
use anyhow::{Result, ensure};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// Which images are compared with which reference, by the features of which net.
pub struct Comparison<'a> {
    pub samples: &'a [String],
    pub reference: &'a str,
    /// Which statistics of a reference file that holds several.
    pub reference_key: Option<&'a str>,
    pub extractor: &'a Extractor,
    /// sha256 of the net's weights.
    pub weights: &'a str,
    pub rules: &'a [Rules],
    pub store: &'a Path,
    pub part: usize,
    pub shard: (usize, usize),
}

/// Samples and reference as one way of resizing shows them.
pub struct Sides {
    pub how: Preprocessing,
    pub samples: Described,
    pub real: Real,
}

/// What was described, and what is odd about it.
pub struct Compared {
    pub sides: Vec<Sides>,
    pub findings: Vec<Finding>,
    /// How the samples' labels are spread over classes, where they have some.
    pub labels: Option<Spread>,
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

/// Describes what is missing of both sides; None where a shard left parts to others. What is told has the side as its note.
pub fn run(comparison: &Comparison, watch: Watch) -> Result<Option<Compared>> {
    let (hows, space) = (ways(comparison), comparison.extractor.space());
    // The reference is opened before hours are spent on the samples.
    let named: Vec<_> = hows.iter().map(|how| space.resizing(*how)).collect();
    let path = Path::new(comparison.reference);
    let which = Which {
        key: comparison.reference_key,
        flag: Some("--reference-key"),
    };
    let opened = Opened::open(path, which, comparison.weights, &named)?;
    let order = |gallery: &Arc<Gallery>| Order {
        gallery: gallery.clone(),
        extractor: comparison.extractor,
        weights: comparison.weights,
        preprocessings: &hows,
        mixed_sizes: comparison.rules.iter().all(|rules| rules.mixed_sizes),
        store: comparison.store,
        part: comparison.part,
        shard: comparison.shard,
    };
    let of = |side: &str, progress: Progress| {
        let note = side.to_string();
        watch.tell(Progress { note, ..progress });
    };
    let images = Arc::new(images::open(comparison.samples, "samples", &watch)?);
    let tell = &|progress| of("samples", progress);
    let samples = images::run(&order(&images), Watch { tell, ..watch })?;
    let mut left_out = BothLeftOut {
        samples: images.left_out(),
        reference: LeftOut::default(),
    };
    let mut real = None;
    if opened.needs_images(comparison.rules) {
        let images = images::open(&[comparison.reference], "reference", &watch)?;
        let images = Arc::new(images);
        left_out.reference = images.left_out();
        let tell = &|progress| of("reference", progress);
        real = images::run(&order(&images), Watch { tell, ..watch })?;
        if real.is_none() {
            return Ok(None);
        }
    }
    let Some(samples) = samples else {
        return Ok(None);
    };
    let reals = opened.with(real.as_deref())?;
    let mut findings = findings(&samples[0], &reals[0], &|i| images.name(i))?;
    findings.extend(beside_images(comparison.samples)?);
    let sides = hows.into_iter().zip(samples.into_iter().zip(reals));
    let sides = sides.map(|(how, (samples, real))| Sides { how, samples, real });
    let sides: Vec<Sides> = sides.collect();
    for side in &sides {
        let n = side.samples.len();
        ensure!(
            n >= FEWEST,
            "a score needs at least {FEWEST} images, not {n}"
        );
        check(&side.samples, &side.real, comparison.reference)?;
    }
    let labels = images.labels();
    Ok(Some(Compared {
        sides,
        findings,
        labels,
        left_out,
    }))
}

/// The ways of resizing that the rules ask for, each once; a net that takes images as they are has one.
fn ways(comparison: &Comparison) -> Vec<Preprocessing> {
    let mut hows: Vec<Preprocessing> = comparison.rules.iter().map(|r| r.preprocessing).collect();
    hows.sort();
    hows.dedup();
    if comparison.extractor.space().input == Input::AsTrained {
        hows.truncate(1);
    }
    hows
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
