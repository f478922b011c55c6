//! Gaussian noise keyed by (seed, image, step): the same for any batch size, thread count, order of work or resume point.

use crate::machine::profile::{Operation, span};
#[cfg(feature = "cuda")]
use crate::random::stream::{first_block, key};
use crate::random::stream::{polar, stream};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// The step id of x_T; the k-th step of denoising (from 0) has id `1 + k`.
pub const START: u64 = 0;

#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: u64,
    purpose: &'static str,
}

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self::apart(seed, "sample")
    }

    /// Another stream of the same seed; `purpose` tells it from the others, by its first 24 bytes.
    pub fn apart(seed: u64, purpose: &'static str) -> Self {
        Self { seed, purpose }
    }

    /// Fills `out` with independent N(0, 1); a longer `out` begins with the same values.
    pub fn normal(&self, image: u64, step: u64, out: &mut [f32]) {
        let mut rng = stream(self.seed, self.purpose, image, step);
        for pair in out.chunks_mut(2) {
            let (radius, angle) = polar(&mut rng);
            let (sin, cos) = angle.sin_cos();
            for (value, part) in pair.iter_mut().zip([cos, sin]) {
                *value = (radius * part) as f32;
            }
        }
    }

    /// The noise of many images at one step → [n, c, h, w] f32, filled in parallel; on a GPU by the GPU where the images
    /// follow each other.
    pub fn tensor(
        &self,
        images: &[u64],
        step: u64,
        (c, h, w): (usize, usize, usize),
        device: &Device,
    ) -> Result<Tensor> {
        let _span = span(Operation::Noise);
        let each = c * h * w;
        #[cfg(feature = "cuda")]
        if device.is_cuda()
            && let Some(first) = consecutive(images)
        {
            let streams = self.streams(first, step);
            let values = crate::kernels::cuda::noise::normal(streams, (images.len(), each), device);
            return values?.reshape((images.len(), c, h, w));
        }
        let mut values = vec![0f32; images.len() * each];
        if each > 0 {
            values
                .par_chunks_mut(each)
                .zip(images)
                .for_each(|(out, &image)| self.normal(image, step, out));
        }
        Tensor::from_vec(values, (images.len(), c, h, w), device)
    }
    /// The same streams as a GPU reads them.
    #[cfg(feature = "cuda")]
    fn streams(&self, first: u64, step: u64) -> crate::kernels::cuda::noise::Streams {
        let key = key(self.seed, self.purpose);
        let words = key.as_chunks::<8>().0;
        crate::kernels::cuda::noise::Streams {
            key: [0, 1, 2, 3].map(|k| u64::from_le_bytes(words[k])),
            counter: first_block(step),
            first,
        }
    }
}

/// The first of images that are numbered one after the other.
#[cfg(feature = "cuda")]
fn consecutive(images: &[u64]) -> Option<u64> {
    let first = *images.first()?;
    let follows = |(image, number): (&u64, u64)| *image == number;
    images.iter().zip(first..).all(follows).then_some(first)
}
