//! The two sides of a score, described: samples and reference, once for each way of resizing that the presets ask for.

use crate::data::gallery::Gallery;
use crate::data::survey::{Finding, Survey};
use crate::spec::rules::{Preprocessing, Rules};
use crate::stages::bench::Progress;
use crate::stages::describe::{self, Order};
use crate::stages::described::{Described, Kind};
use crate::stages::extract::Extractor;
use crate::stages::real::{Holds, Real, holds};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Who meets whom, through which net.
pub struct Meeting<'a> {
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
pub struct Both {
    pub sides: Vec<Sides>,
    pub findings: Vec<Finding>,
}

/// Describes what is missing of both sides; None where a shard left parts to others.
pub fn run(
    meeting: &Meeting,
    tell: &dyn Fn(&str, Progress),
    stop: &AtomicBool,
) -> Result<Option<Both>> {
    let mut hows: Vec<Preprocessing> = meeting.rules.iter().map(|r| r.preprocessing).collect();
    hows.sort();
    hows.dedup();
    if !meeting.extractor.is_inception() {
        hows.truncate(1);
    }
    let mixed = meeting.rules.iter().all(|rules| rules.mixed_sizes);
    // The reference is opened before hours are spent on the samples.
    let path = Path::new(meeting.reference);
    let kind = holds(path).with_context(|| format!("reading {}", meeting.reference))?;
    let mut reals = Vec::new();
    if kind != Holds::Images {
        for how in &hows {
            let how = meeting.extractor.is_inception().then_some(*how);
            reals.push(Real::of_file(
                path,
                meeting.reference_key,
                meeting.weights,
                how,
            )?);
        }
    }
    let gallery =
        |specs: &[String]| -> Result<Arc<Gallery>> { Ok(Arc::new(Gallery::open(specs)?)) };
    let order = |gallery: &Arc<Gallery>| Order {
        gallery: gallery.clone(),
        extractor: meeting.extractor,
        weights: meeting.weights,
        preprocessings: &hows,
        mixed_sizes: mixed,
        store: meeting.store,
        part: meeting.part,
        shard: meeting.shard,
    };
    let images = gallery(meeting.samples)?;
    let samples = describe::run(&order(&images), &|p| tell("samples", p), stop)?;
    let needs_images =
        kind == Holds::Images || kind == Holds::Both && wants_features(meeting.rules);
    let mut described = None;
    if needs_images {
        let real = gallery(&[meeting.reference.to_string()])?;
        described = Some(describe::run(
            &order(&real),
            &|p| tell("reference", p),
            stop,
        )?);
    }
    let Some(samples) = samples else {
        return Ok(None);
    };
    match described {
        Some(None) => return Ok(None),
        Some(Some(described)) => {
            let found: Vec<Real> = match kind {
                Holds::Images => {
                    let each = described.iter().map(|images| Real::of_images(images, None));
                    each.collect::<Result<_>>()?
                }
                _ => {
                    let each = reals.into_iter().zip(&described);
                    each.map(|(real, images)| real.with_images(images, None))
                        .collect::<Result<_>>()?
                }
            };
            reals = found;
        }
        None => {}
    }
    let findings = findings(&images, &samples[0], &reals[0])?;
    let sides = hows.into_iter().zip(samples.into_iter().zip(reals));
    let sides = sides.map(|(how, (samples, real))| Sides { how, samples, real });
    let sides: Vec<Sides> = sides.collect();
    for side in &sides {
        check(side, meeting)?;
    }
    Ok(Some(Both { sides, findings }))
}

fn wants_features(rules: &[Rules]) -> bool {
    rules
        .iter()
        .any(|r| r.neighbours.is_some() || r.kid.is_some())
}

/// Other features than the reference's measure nothing.
fn check(side: &Sides, meeting: &Meeting) -> Result<()> {
    use crate::metrics::rows::Rows;
    ensure!(
        side.samples.len() >= 5,
        "a score needs at least 5 images, not {}",
        side.samples.len()
    );
    for (kind, real) in [
        (Kind::Pool, Some(&side.real.pool)),
        (Kind::Spatial, side.real.spatial.as_ref()),
    ] {
        let Some(real) = real else { continue };
        let (ours, theirs) = (side.samples.rows(kind)?.dim(), real.dim());
        ensure!(
            ours == theirs,
            "{} has {theirs} features, the samples have {ours}\nhint: both must come from one feature network",
            meeting.reference
        );
    }
    Ok(())
}

fn findings(gallery: &Gallery, samples: &Described, real: &Real) -> Result<Vec<Finding>> {
    let survey: Survey = samples.survey()?;
    let name = |i: usize| gallery.name(i);
    let mut found = survey.findings(real.pool.dim(), &name);
    if let Some(real) = &real.survey {
        found.extend(survey.findings_beside(real, &name));
    }
    Ok(found)
}
