//! Image files to `reference_stats/NAME.npz` by Inception: what the published evaluators read, and what else ours needs.

use crate::data::resize::crop::Crop;
use crate::experiment::scoring::rules::Preprocessing;
use crate::io::numpy::npz::{self, Array};
use crate::jobs::context::Watch;
use crate::jobs::files::meta::Meta;
use crate::jobs::sharing::claims::Claims;
use crate::metrics::rows::Rows;
use crate::stages::describe::described::{Described, Kind, PART};
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::images::{self, Order, Share};
use crate::stages::describe::reference::Keeps;
use anyhow::{Result, ensure};
use std::path::Path;
use std::sync::Arc;

/// Images whose features stay in the file: as many as the ADM evaluator's reference batches hold.
const KEPT: usize = 10_000;

/// What to make a reference of.
pub struct ImagesOrder<'a> {
    pub data: &'a str,
    /// How images are cropped, to how many pixels a side; None takes them as they are.
    pub crop: Option<(Crop, usize)>,
    /// The first images only.
    pub count: Option<usize>,
    pub extractor: &'a Extractor,
    /// sha256 of the net's weights.
    pub weights: &'a str,
    pub how: Preprocessing,
    pub mixed_sizes: bool,
    pub store: &'a Path,
    /// Who describes which part, where other processes describe the same images.
    pub claims: &'a dyn Claims,
    pub share: Share,
    pub keeps: Keeps,
    pub out: &'a Path,
}

/// Describes what is missing and, unless parts are left to others, writes `mu`, `sigma`, `mu_s`, `sigma_s` (as the ADM evaluator, pytorch-fid and clean-fid
/// read them), `count`, the first features unless statistics alone are asked for, and `meta`.
pub fn run(order: &ImagesOrder, watch: Watch) -> Result<()> {
    let mut gallery = images::open(&[order.data], order.data, &watch)?;
    if let Some(count) = order.count {
        ensure!(
            count <= gallery.len(),
            "{} holds {} images, {count} are asked\nhint: pass `--count {1}`",
            order.data,
            gallery.len()
        );
        gallery = gallery.first(count);
    }
    if let Some((crop, side)) = order.crop {
        gallery = gallery.cropped(crop, side);
    }
    let gallery = Arc::new(gallery);
    let described = images::run(
        &Order {
            gallery: gallery.clone(),
            extractor: order.extractor,
            weights: order.weights,
            preprocessings: &[order.how],
            mixed_sizes: order.mixed_sizes || order.crop.is_some(),
            store: order.store,
            part: PART,
            share: order.share,
            claims: order.claims,
        },
        watch,
    )?;
    let Some(described) = described.and_then(|mut all| all.pop()) else {
        return Ok(());
    };
    let cut = described.survey()?.cut(&|i| gallery.name(i));
    if let Some(finding) = cut {
        (watch.warn)(&finding.to_string());
    }
    write(order, &described)
}

fn write(order: &ImagesOrder, images: &Described) -> Result<()> {
    let pool = images.moments(Kind::Pool)?;
    let d = pool.dim();
    let meta = Meta {
        data: order.data.to_string(),
        resolution: order.crop.map_or(0, |(_, side)| side),
        crop: order.crop.map(|(crop, _)| crop),
        extractor: order.weights.to_string(),
        preprocessing: Some(order.how),
        count: images.len(),
        gaussian: 0,
    };
    let meta = serde_json::to_vec(&meta)?;
    let mut arrays = vec![
        ("mu", Array::f64(&[d], pool.mean)),
        ("sigma", Array::f64(&[d, d], pool.cov)),
    ];
    if order.extractor.space().has_spatial() {
        let spatial = images.moments(Kind::Spatial)?;
        let d = spatial.dim();
        arrays.push(("mu_s", Array::f64(&[d], spatial.mean)));
        arrays.push(("sigma_s", Array::f64(&[d, d], spatial.cov)));
    }
    arrays.push(("count", Array::i64(&[], vec![images.len() as i64])));
    if order.keeps == Keeps::Features {
        let kept = KEPT.min(images.len());
        let features = images.rows(Kind::Pool)?.read(0..kept)?.into_owned();
        arrays.push(("features", Array::f32(&[kept, d], features)));
    }
    arrays.push(("meta", Array::u8(&[meta.len()], meta)));
    npz::write(order.out, &arrays)
}
