//! Rules that steer by two answers to one image: what is asked for, and what is to be left behind.

use crate::diffusion::guidance::rule::{Guidance, Point, Steered};
use crate::diffusion::guidance::strength::Strength;
use crate::diffusion::process::posterior::Field;
use crate::experiment::file::drawing::rules::Apg;
use candle_core::{D, DType, Result, Tensor};
use std::cell::RefCell;

/// How the two answers, c asked for and u left behind, are combined at scale w.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// u + w (c - u) ("Classifier-Free Diffusion Guidance", arXiv:2207.12598, equation 6 with its w one less;
    /// "Guiding a Diffusion Model with a Bad Version of Itself", arXiv:2406.02507, equation 3).
    Plain,
    /// The same, with w in 0..=1, for x0; its noise is u's ("CFG++", arXiv:2406.08070, algorithm 2).
    PlusPlus,
    /// a u + w (c - a u), a the share of u that is in c ("CFG-Zero*", arXiv:2503.18886, equation 8; no step is left out).
    ZeroStar,
    /// c + (w - 1) d in x0, d the part of c - u that is orthogonal to c, and a share of the parallel one ("Eliminating
    /// Oversaturation and Artifacts of High Guidance Scales", arXiv:2410.02416, algorithm 1).
    Apg(Apg),
}

/// The second answer at a point, u [n, c or 2c, h, w]; it may depend on the first, c of that shape in f32.
pub type Other<'a> = dyn Fn(&Point, &Tensor) -> Result<Tensor> + 'a;

/// Guidance by a second answer.
pub struct Combined<'a> {
    strength: Strength,
    form: Form,
    /// phi: the share of the combined answer that gets the spread of c ("Common Diffusion Noise Schedules and Sample Steps
    /// are Flawed", arXiv:2305.08891, equation 16).
    rescale: f64,
    other: &'a Other<'a>,
    /// APG's running difference; this batch's.
    running: RefCell<Option<Tensor>>,
}

impl<'a> Combined<'a> {
    /// A rule for one batch.
    pub fn new(strength: Strength, form: Form, rescale: f64, other: &'a Other<'a>) -> Self {
        Self {
            strength,
            form,
            rescale,
            other,
            running: RefCell::new(None),
        }
    }

    /// The mean parts of both answers → the combined one, [n, c, h, w] f32.
    fn combine(&self, asked: &Tensor, left: &Tensor, w: f64, point: &Point) -> Result<Tensor> {
        let combined = match self.form {
            Form::Plain | Form::PlusPlus => left.affine(1.0 - w, 0.0)? + asked.affine(w, 0.0)?,
            Form::ZeroStar => {
                let square = (by_image(&left.sqr()?)? + 1e-8)?;
                let share = (by_image(&(asked * left)?)? / square)?;
                let left = left.broadcast_mul(&share)?;
                &left + ((asked - &left)? * w)?
            }
            Form::Apg(apg) => self.projected(apg, asked, left, w, point),
        }?;
        if self.rescale == 0.0 {
            return Ok(combined);
        }
        let spread = (deviation(asked)? / deviation(&combined)?)?;
        let share = ((spread * self.rescale)? + (1.0 - self.rescale))?;
        combined.broadcast_mul(&share)
    }

    fn projected(
        &self,
        apg: Apg,
        asked: &Tensor,
        left: &Tensor,
        w: f64,
        point: &Point,
    ) -> Result<Tensor> {
        let (output, level) = (point.output, point.place.level);
        let x0 = |answer: &Tensor| output.x0_at(level, answer, point.x)?.to_dtype(DType::F64);
        let (asked, left) = (x0(asked)?, x0(left)?);
        let mut apart = (&asked - left)?;
        if apg.momentum != 0.0 {
            if let Some(before) = self.running.borrow().as_ref() {
                apart = (apart + (before * apg.momentum)?)?;
            }
            self.running.replace(Some(apart.clone()));
        }
        if let Some(most) = apg.norm {
            let norm = by_image(&apart.sqr()?)?.sqrt()?;
            let share = (norm.maximum(most)?.recip()? * most)?;
            apart = apart.broadcast_mul(&share)?;
        }
        let square = by_image(&asked.sqr()?)?.maximum(f64::MIN_POSITIVE)?;
        let along = (by_image(&(&apart * &asked)?)? / square)?;
        let parallel = asked.broadcast_mul(&along)?;
        // apart = orthogonal + parallel
        let steered = (apart - (parallel * (1.0 - apg.parallel))?)?;
        let x0 = (asked + (steered * (w - 1.0))?)?.to_dtype(DType::F32)?;
        output.of_x0(level, &x0, point.x)
    }
}

impl Guidance for Combined<'_> {
    fn scale(&self) -> f64 {
        self.strength.scale
    }

    fn steer(&self, net: &Field, point: &Point) -> Result<Steered> {
        let answer = net(point.x, point.t)?;
        let Some(w) = self.strength.at(&point.place) else {
            return Ok(Steered::plain(answer));
        };
        let answer = answer.to_dtype(DType::F32)?;
        let left = (self.other)(point, &answer)?.to_dtype(DType::F32)?;
        point.finite(&left, "second answer")?;
        let channels = point.x.dim(1)?;
        let asked = answer.narrow(1, 0, channels)?;
        let left = left.narrow(1, 0, channels)?;
        let combined = self.combine(&asked, &left, w, point)?;
        let rest = answer.dim(1)? - channels;
        let answer = if rest == 0 {
            combined
        } else {
            // The variance is the conditional answer's.
            Tensor::cat(&[&combined, &answer.narrow(1, channels, rest)?], 1)?
        };
        let noise = match self.form {
            Form::PlusPlus => {
                let level = point.place.level;
                let x0 = point.output.x0_at(level, &left, point.x)?;
                Some(level.eps_of_x0(point.x, &x0)?)
            }
            _ => None,
        };
        Ok(Steered { answer, noise })
    }
}

/// The sum over each image of x [n, c, h, w] → [n, 1, 1, 1].
fn by_image(x: &Tensor) -> Result<Tensor> {
    x.flatten_from(1)?
        .sum_keepdim(D::Minus1)?
        .reshape((x.dim(0)?, 1, 1, 1))
}

/// The standard deviation of each image (n - 1 below, as torch's) → [n, 1, 1, 1].
fn deviation(x: &Tensor) -> Result<Tensor> {
    let count = x.elem_count() as f64 / x.dim(0)? as f64;
    let mean = (by_image(x)? * (1.0 / count))?;
    let square = by_image(&x.broadcast_sub(&mean)?.sqr()?)?;
    (square * (1.0 / (count - 1.0)))?.sqrt()
}
