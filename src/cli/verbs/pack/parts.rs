//! The images of a packed set, decoded on every core, a part in memory at a time.

use crate::data::gallery::Gallery;
use crate::data::survey::Finding;
use crate::io::image::file::{Decoded, Rgb8};
use crate::jobs::context::{Progress, Stopped};
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of pixels that a part holds, unless one image is larger.
const PART: usize = 32 << 20;
/// Images that a part holds at most, so that progress is seen where they are small.
const MOST: usize = 4096;
/// Images of one size, in order.
pub struct Set<'a> {
    gallery: &'a Gallery,
    order: &'a [usize],
    /// Width and height.
    pub size: (usize, usize),
    tell: &'a (dyn Fn(Progress) + Sync),
    stop: &'a AtomicBool,
    /// Images of 16-bit grey that lost values.
    cut: Mutex<Finding>,
}

impl<'a> Set<'a> {
    /// The images of `gallery` at `order`, which is not empty; the first says what size all must have.
    ///
    /// # Errors
    /// Where the first image cannot be read.
    pub fn open(
        gallery: &'a Gallery,
        order: &'a [usize],
        (tell, stop): (&'a (dyn Fn(Progress) + Sync), &'a AtomicBool),
    ) -> Result<Set<'a>> {
        let first = order.first().context("there are no images")?;
        let first = gallery.read(*first)?;
        Ok(Set {
            gallery,
            order,
            size: (first.w, first.h),
            tell,
            stop,
            cut: Mutex::new(Finding::none_cut(order.len())),
        })
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Hands the images to `take`, part by part in their order.
    ///
    /// # Errors
    /// The first image that cannot be read or is of another size, what `take` fails with, and [`Stopped`].
    pub fn each_part(&self, mut take: impl FnMut(Vec<Rgb8>) -> Result<()>) -> Result<()> {
        let bytes = self.size.0 * self.size.1 * 3;
        let part = (PART / bytes.max(1)).clamp(1, MOST);
        let mut done = 0;
        for part in self.order.chunks(part) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Stopped.into());
            }
            let read: Vec<Result<Decoded>> = part.par_iter().map(|&i| self.read(i)).collect();
            // The first in order is told, whichever thread came upon an error first.
            let read: Vec<Decoded> = read.into_iter().collect::<Result<_>>()?;
            self.note_cut(part, &read);
            take(read.into_iter().map(|decoded| decoded.image).collect())?;
            done += part.len() as u64;
            (self.tell)(Progress {
                done,
                total: self.order.len() as u64,
                unit: "images",
                note: String::new(),
            });
        }
        Ok(())
    }

    /// The warning of images whose values were cut off; none where there are none.
    pub fn cut(&self) -> Option<String> {
        let cut = self.cut.lock().ok()?;
        (cut.count > 0).then(|| cut.to_string())
    }

    fn note_cut(&self, part: &[usize], read: &[Decoded]) {
        let Ok(mut cut) = self.cut.lock() else {
            return;
        };
        for (&i, _) in part.iter().zip(read).filter(|(_, decoded)| decoded.cut) {
            cut.add(|| self.gallery.name(i));
        }
    }

    fn read(&self, i: usize) -> Result<Decoded> {
        let decoded = self.gallery.read_noted(i)?;
        let ((w, h), image) = (self.size, &decoded.image);
        ensure!(
            (image.w, image.h) == (w, h),
            "{} is {} by {} pixels, {} is {w} by {h}: packed images are of one size\nhint: make them one size first, or pack each size by itself",
            self.gallery.name(i),
            image.w,
            image.h,
            self.gallery.name(self.order[0])
        );
        Ok(decoded)
    }
}
