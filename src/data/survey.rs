//! What a set of images looks like before its numbers are believed: copies, constants, greys, sizes, ranges.

use crate::io::image::file::{Decoded, Rgb8};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Images that a finding names.
const NAMED: usize = 3;

/// What is remembered of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Of the decoded pixels and the size: equal images have equal digests, whatever file they came in.
    pub digest: u128,
    pub w: u32,
    pub h: u32,
    /// The smallest and the largest byte.
    pub low: u8,
    pub high: u8,
    /// Red, green and blue are equal everywhere.
    pub grey: bool,
    /// It was 16-bit grey, and values above 255 were cut off there.
    pub cut: bool,
    /// Every pixel is like the first.
    pub constant: bool,
}

impl Facts {
    pub fn of(image: &Rgb8) -> Facts {
        let pixels = image.data.as_chunks::<3>().0;
        let seed = (image.w as u64) << 32 | image.h as u64;
        let least = |a: u8, &b: &u8| a.min(b);
        let most = |a: u8, &b: &u8| a.max(b);
        Facts {
            digest: xxh3_128_with_seed(&image.data, seed),
            w: image.w as u32,
            h: image.h as u32,
            low: image.data.iter().fold(u8::MAX, least),
            high: image.data.iter().fold(u8::MIN, most),
            grey: pixels.iter().all(|p| p[0] == p[1] && p[1] == p[2]),
            cut: false,
            constant: pixels.iter().all(|p| *p == pixels[0]),
        }
    }

    pub fn of_decoded(decoded: &Decoded) -> Facts {
        Facts {
            cut: decoded.cut,
            ..Facts::of(&decoded.image)
        }
    }
}

/// What is odd about a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oddity {
    /// The same pixels as an earlier image of the set.
    Copies,
    /// The same pixels as an image of the reference.
    InReference,
    /// One colour all over.
    Constant,
    /// Grey among images of colour, or against a reference of colour.
    Grey,
    /// 16-bit grey with values above 255.
    Cut,
    /// Another size than most of the set.
    Sizes,
    /// Another size than any of the reference.
    OtherSizes,
    /// Fewer than a covariance of full rank needs.
    Few,
    /// No byte above 1: pixels of 0..1 were stored as bytes.
    Range,
    /// The file of the samples holds statistics beside its images.
    StoredStatistics,
}

/// One oddity: how many images, of how many, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub oddity: Oddity,
    pub count: usize,
    pub of: usize,
    /// The first few, with what they are like.
    pub first: Vec<String>,
    /// What it does to the numbers.
    pub effect: String,
}

impl Finding {
    /// Images of 16-bit grey whose values were cut off, none of `of` so far.
    pub fn none_cut(of: usize) -> Finding {
        Finding {
            oddity: Oddity::Cut,
            count: 0,
            of,
            first: Vec::new(),
            effect: effect(Oddity::Cut, 0),
        }
    }

    /// Counts one more image; the first few are named.
    pub fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(name());
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Finding { count, of, .. } = self;
        match self.oddity {
            Oddity::Copies => write!(f, "{count} of {of} images are copies of earlier ones")?,
            Oddity::InReference => {
                write!(f, "{count} of {of} images are in the reference, to the bit")?
            }
            Oddity::Constant => write!(f, "{count} of {of} images are of one colour")?,
            Oddity::Grey => write!(f, "{count} of {of} images are grey")?,
            Oddity::Cut => write!(
                f,
                "{count} of {of} images are 16-bit grey with values above 255"
            )?,
            Oddity::Sizes => write!(f, "{count} of {of} images are of other sizes than the rest")?,
            Oddity::OtherSizes => write!(
                f,
                "{count} of {of} images are of sizes that the reference lacks"
            )?,
            Oddity::Few => write!(f, "there are {count} images")?,
            Oddity::Range => write!(f, "no pixel of {count} images is above 1")?,
            Oddity::StoredStatistics => write!(
                f,
                "{count} of {of} files of samples hold mu and sigma beside their images"
            )?,
        }
        if !self.first.is_empty() {
            let more = if self.first.len() < *count {
                ", .."
            } else {
                ""
            };
            write!(f, ": {}{more}", self.first.join(", "))?;
        }
        write!(f, "; {}", self.effect)
    }
}

/// What was seen of a set, image by image in order.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    pub facts: Vec<Facts>,
}

impl Survey {
    /// Sizes (w, h) with their images, the most frequent first.
    pub fn sizes(&self) -> Vec<((u32, u32), usize)> {
        let mut counts: HashMap<(u32, u32), usize> = HashMap::new();
        for facts in &self.facts {
            *counts.entry((facts.w, facts.h)).or_default() += 1;
        }
        let mut sizes: Vec<_> = counts.into_iter().collect();
        sizes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        sizes
    }

    /// Whether more than half of the images have colour.
    pub fn coloured(&self) -> bool {
        2 * self.facts.iter().filter(|f| f.grey).count() < self.facts.len()
    }

    /// What is odd about the set by itself; `features` is the width of the covariance, `name` says where an image lies.
    pub fn findings(&self, features: usize, name: &dyn Fn(usize) -> String) -> Vec<Finding> {
        let usual = self.sizes().first().map(|(size, _)| *size);
        let mut found = vec![
            self.copies(name),
            self.collect(Oddity::Constant, |f| f.constant, &|i, _| name(i)),
            self.collect(Oddity::Cut, |f| f.cut, &|i, _| name(i)),
            self.collect(Oddity::Sizes, |f| Some((f.w, f.h)) != usual, &|i, f| {
                format!("{} ({}x{})", name(i), f.w, f.h)
            }),
        ];
        if self.coloured() {
            // A constant image is told already.
            let grey = |f: &Facts| f.grey && !f.constant;
            found.push(self.collect(Oddity::Grey, grey, &|i, _| name(i)));
        }
        let n = self.facts.len();
        if self.facts.iter().all(|f| f.high <= 1) {
            found.push(self.collect(Oddity::Range, |_| true, &|_, _| String::new()));
        }
        if n <= features {
            found.push(Finding {
                count: n,
                ..self.finding(Oddity::Few, features)
            });
        }
        found.retain(|f| f.count > 0);
        found
    }

    /// What is odd about the set beside its reference.
    pub fn findings_beside(
        &self,
        reference: &Survey,
        name: &dyn Fn(usize) -> String,
    ) -> Vec<Finding> {
        let known: HashMap<u128, ()> = reference.facts.iter().map(|f| (f.digest, ())).collect();
        let sizes: HashMap<(u32, u32), ()> = reference
            .sizes()
            .into_iter()
            .map(|(s, _)| (s, ()))
            .collect();
        let mut found = vec![
            self.collect(
                Oddity::InReference,
                |f| known.contains_key(&f.digest),
                &|i, _| name(i),
            ),
            self.collect(
                Oddity::OtherSizes,
                |f| !sizes.contains_key(&(f.w, f.h)),
                &|i, f| format!("{} ({}x{})", name(i), f.w, f.h),
            ),
        ];
        if reference.coloured() && !self.coloured() {
            found.push(self.collect(Oddity::Grey, |f| f.grey, &|i, _| name(i)));
        }
        found.retain(|f| f.count > 0);
        found
    }

    /// The images whose values were cut off, if there are any: such pixels are lost to a reference as to samples.
    pub fn cut(&self, name: &dyn Fn(usize) -> String) -> Option<Finding> {
        let found = self.collect(Oddity::Cut, |f| f.cut, &|i, _| name(i));
        (found.count > 0).then_some(found)
    }

    fn copies(&self, name: &dyn Fn(usize) -> String) -> Finding {
        let mut seen: HashMap<u128, usize> = HashMap::new();
        let mut finding = self.finding(Oddity::Copies, 0);
        for (i, facts) in self.facts.iter().enumerate() {
            let first = *seen.entry(facts.digest).or_insert(i);
            if first < i {
                finding.add(|| format!("{} = {}", name(i), name(first)));
            }
        }
        finding
    }

    fn collect(
        &self,
        oddity: Oddity,
        odd: impl Fn(&Facts) -> bool,
        describe: &dyn Fn(usize, &Facts) -> String,
    ) -> Finding {
        let mut finding = self.finding(oddity, 0);
        for (i, facts) in self.facts.iter().enumerate().filter(|(_, f)| odd(f)) {
            finding.add(|| describe(i, facts));
        }
        finding.first.retain(|text| !text.is_empty());
        finding
    }

    fn finding(&self, oddity: Oddity, features: usize) -> Finding {
        Finding {
            oddity,
            count: 0,
            of: self.facts.len(),
            first: Vec::new(),
            effect: effect(oddity, features),
        }
    }
}

/// That these of `of` files of samples hold statistics beside their images; none where no file does.
pub fn stored_statistics(files: &[String], of: usize) -> Option<Finding> {
    let oddity = Oddity::StoredStatistics;
    (!files.is_empty()).then(|| Finding {
        oddity,
        count: files.len(),
        of,
        first: files.iter().take(NAMED).cloned().collect(),
        effect: effect(oddity, 0),
    })
}

/// What an oddity does to the numbers.
fn effect(oddity: Oddity, features: usize) -> String {
    match oddity {
                Oddity::Copies => "they count as often as they occur".to_string(),
                Oddity::InReference => "the distance is lower than that of new images".to_string(),
                Oddity::Constant => "a failed sampler or decoder makes such images".to_string(),
                Oddity::Grey => "they are read as colour with equal channels".to_string(),
                Oddity::Cut => "those values are read as 255, as Pillow reads them; save the images as 8-bit grey".to_string(),
                Oddity::Sizes => "they are resized from other resolutions than the rest".to_string(),
                Oddity::OtherSizes => "resizing alone then moves the distance".to_string(),
                Oddity::Few => format!(
                    "a covariance of {features} features needs {} for full rank, and a Fréchet distance of so few is biased upwards",
                    features + 1
                ),
                Oddity::Range => "pixels of 0..1 were stored as bytes, which hold 0..255".to_string(),
                Oddity::StoredStatistics => "the images are scored; guided-diffusion's evaluator and pytorch-fid take the statistics in their place, and a file against itself is 0 there".to_string(),
            }
}
