//! Stored images to larger ones: the second stage of guided-diffusion's two-stage samples (its `super_res_sample`).
//!
//! The net sees each small image as it is stored, 8 bits a channel, with its label. The first stage's net is gone from
//! memory by then: it was another job's.

use crate::diffusion::random::noise::Noise;
use crate::experiment::nets::arch::Task;
use crate::io::numpy::npz::Npz;
use crate::io::numpy::rows::Rows;
use crate::jobs::context::JobContext;
use crate::jobs::files::parts::{self, Part};
use crate::jobs::sharing::filling::fill;
use crate::jobs::upsample::UpsampleJob;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::open::denoiser;
use crate::nets::precision::dtype;
use crate::stages::draw::drawer::{Drawer, Drawn, images, open_net};
use crate::stages::feed::planes;
use anyhow::{Context, Result, ensure};
use candle_core::Tensor;
use std::ops::Range;

/// Tells the second stage's noise from the first's, whose seed it shares.
const PURPOSE: &str = "upsample";

/// Draws what is missing of images 0..count into `images-AAAAAA-BBBBBB.npz`. The net is opened once there is a part to draw
/// that nobody else draws.
pub fn run(job: &UpsampleJob, context: &JobContext) -> Result<()> {
    let mut opened = None;
    fill(context, images(&job.sample), &mut |range, made| {
        let upsampling = match &mut opened {
            Some(upsampling) => upsampling,
            None => opened.insert(Upsampling::open(job, context)?),
        };
        let (drawer, denoiser) = (&upsampling.drawer, upsampling.denoiser.as_ref());
        let small = &mut upsampling.small;
        drawer.part(range, made, &mut |images, made| {
            draw(drawer, denoiser, small, images, made)
        })
    })
}

/// All that upsampling needs, once it is loaded.
struct Upsampling<'a> {
    drawer: Drawer<'a>,
    denoiser: Box<dyn Denoiser>,
    small: Small,
}

impl<'a> Upsampling<'a> {
    fn open(job: &'a UpsampleJob, context: &'a JobContext) -> Result<Self> {
        let net = open_net(&job.net, context)?;
        ensure!(
            net.arch.task() == Task::Upsample,
            "upsample.checkpoint is a {}, and upsampling needs a super-resolution net",
            net.arch.title()
        );
        let denoiser = denoiser(&net.arch, net.vb.to_dtype(dtype(job.sample.dtype)))?;
        let noise = Noise::apart(job.sample.seed, PURPOSE);
        let drawer = Drawer::open(
            ("upsample", &job.sample),
            &net,
            denoiser.as_ref(),
            noise,
            context,
        )?;
        let images = parts::present(&context.input(&job.samples), "images")?;
        let small = Small {
            parts: parts::covering(&images, job.sample.count as u64)?,
            side: denoiser.low_resolution().unwrap_or_default(),
            open: None,
        };
        Ok(Self {
            drawer,
            denoiser,
            small,
        })
    }
}

fn draw(
    drawer: &Drawer,
    denoiser: &dyn Denoiser,
    small: &mut Small,
    images: &[u64],
    made: u64,
) -> Result<Drawn> {
    let (pixels, labels) = small.read(images)?;
    let shape = (images.len(), 3, small.side, small.side);
    let low = Tensor::from_vec(pixels, shape, drawer.device())?;
    let y = Tensor::from_slice(&labels, labels.len(), drawer.device())?;
    let given = Conditions {
        labels: denoiser.classes().map(|_| &y),
        low: Some(&low),
        ..Conditions::default()
    };
    let answer = |x: &Tensor, t: &Tensor| denoiser.denoise(x, t, &given);
    Ok((drawer.draw(images, &answer, None, made)?, labels))
}

/// The small images, read from one stored part at a time.
struct Small {
    parts: Vec<(Part, Range<usize>)>,
    /// Pixels a side.
    side: usize,
    open: Option<Open>,
}

/// A part of which images are being read.
struct Open {
    range: Range<u64>,
    /// Index of the first row's image.
    start: u64,
    pixels: Rows,
    labels: Vec<i64>,
}

impl Small {
    /// The images of these indices → f32 [n, 3, side, side] in [-1, 1], and their labels.
    fn read(&mut self, images: &[u64]) -> Result<(Vec<f32>, Vec<u32>)> {
        let each = 3 * self.side * self.side;
        let mut pixels = vec![0f32; images.len() * each];
        let mut labels = Vec::with_capacity(images.len());
        for (&image, out) in images.iter().zip(pixels.chunks_exact_mut(each)) {
            let part = self.part_of(image)?;
            let row = (image - part.start) as usize;
            planes(&part.pixels.read(row)?, out);
            let label = part.labels[row];
            labels.push(u32::try_from(label).with_context(|| format!("label {label}"))?);
        }
        Ok((pixels, labels))
    }

    /// The part with this image, opened.
    fn part_of(&mut self, image: u64) -> Result<&Open> {
        let open = match self.open.take() {
            Some(open) if open.range.contains(&image) => open,
            _ => self.open_part(image)?,
        };
        Ok(self.open.insert(open))
    }

    fn open_part(&self, image: u64) -> Result<Open> {
        let of = |(part, take): &(Part, Range<usize>)| {
            let start = part.range.start;
            start + take.start as u64..start + take.end as u64
        };
        let found = self.parts.iter().find(|part| of(part).contains(&image));
        let found = found.with_context(|| format!("no stored part holds image {image}"))?;
        let (path, side) = (&found.0.path, self.side);
        let pixels = Rows::npz(path, "arr_0")?;
        let labels = Npz::open(path)?.i64("arr_1")?.data;
        let wanted = [labels.len(), side, side, 3];
        ensure!(
            pixels.shape() == wanted && labels.len() >= found.1.end,
            "{} holds images of shape {:?} and {} labels, and the upsampler starts from {side} by {side} pixels\nhint: choose an upsampler that starts from what [model] makes",
            path.display(),
            pixels.shape(),
            labels.len()
        );
        Ok(Open {
            range: of(found),
            start: found.0.range.start,
            pixels,
            labels,
        })
    }
}
