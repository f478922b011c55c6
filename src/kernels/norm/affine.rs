//! The two affine maps of a normalisation as one: its own, and ADM's scale and shift of every image (arXiv:2105.05233,
//! section 3).

#[cfg(feature = "cuda")]
use crate::kernels::cuda::norm::affine as on_card;
use crate::kernels::gradients::record::{apply2, apply3};
use crate::kernels::view::{ours, slice};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

/// A normalisation's own map, `[c]` each: what values are multiplied by, and what is added.
pub type Own<'a> = (&'a Tensor, &'a Tensor);

/// Both maps as one, `[2, n, c]` f32: what normalised values of `n` images are multiplied by, and what is added. `adaptive`
/// `[n, 2c]` has the scales, to which 1 is added, and then the shifts. Differentiable in all, and noted.
///
/// # Errors
/// Maps that do not fit, those of halves elsewhere than on the CPU or an NVIDIA GPU, and those of the device.
pub fn both(n: usize, (weight, bias): Own, adaptive: Option<&Tensor>) -> Result<Tensor> {
    let (weight, bias) = (plain(weight)?, plain(bias)?);
    match adaptive {
        Some(adaptive) => apply3([&weight, &bias, &plain(adaptive)?], Both { n }),
        None => apply2([&weight, &bias], Both { n }),
    }
}

/// Contiguous, in f32.
fn plain(map: &Tensor) -> Result<Tensor> {
    map.to_dtype(DType::F32)?.contiguous()
}

/// The operation on `(weight [c], bias [c])`, and `[n, 2c]` where there is one.
struct Both {
    n: usize,
}

impl Both {
    fn made(&self, [weight, bias]: [&[f32]; 2], adaptive: Option<&[f32]>) -> Result<Vec<f32>> {
        let (n, c) = (self.n, weight.len());
        if bias.len() != c || adaptive.is_some_and(|both| both.len() != 2 * n * c) {
            bail!(
                "group_norm: {c} gains, {} offsets and {} of both for {n} images",
                bias.len(),
                adaptive.map_or(0, <[f32]>::len)
            );
        }
        let Some(adaptive) = adaptive else {
            return Ok([weight.repeat(n), bias.repeat(n)].concat());
        };
        let mut both = vec![0.0; 2 * n * c];
        let (gains, offsets) = both.split_at_mut(n * c);
        for i in 0..n {
            let (scale, shift) = adaptive[2 * i * c..][..2 * c].split_at(c);
            for k in 0..c {
                let scale = scale[k] + 1.0;
                gains[i * c + k] = scale * weight[k];
                offsets[i * c + k] = scale * bias[k] + shift[k];
            }
        }
        Ok(both)
    }

    /// Gradients of weight and bias, and of what adapts them where there is that.
    fn gradients(
        &self,
        own: [&Tensor; 2],
        adaptive: Option<&Tensor>,
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let dy = dy.contiguous()?;
        #[cfg(feature = "cuda")]
        if !ours(&[&dy]) {
            return on_card::gradients(self.n, own, adaptive, &dy);
        }
        if !ours(&[&dy]) {
            bail!("group_norm: gradients of affine maps are taken in f32 on the CPU");
        }
        let (dgain, doffset) = (dy.get(0)?, dy.get(1)?);
        let Some(adaptive) = adaptive else {
            return Ok([Some(dgain.sum(0)?), Some(doffset.sum(0)?), None]);
        };
        let [weight, bias] = own.map(Tensor::detach);
        let scale = (adaptive.detach().narrow(1, 0, weight.dim(0)?)? + 1.0)?;
        let dscale = (dgain.broadcast_mul(&weight)? + doffset.broadcast_mul(&bias)?)?;
        Ok([
            Some((dgain * &scale)?.sum(0)?),
            Some((&doffset * &scale)?.sum(0)?),
            Some(Tensor::cat(&[&dscale, &doffset], 1)?),
        ])
    }
}

impl CustomOp2 for Both {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let own = [slice(s1, l1)?, slice(s2, l2)?];
        let shape = (2, self.n, own[0].len()).into();
        Ok((CpuStorage::F32(self.made(own, None)?), shape))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        on_card::made(self.n, [(s1, l1), (s2, l2)], None)
    }

    fn bwd(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dw, db, _] = self.gradients([weight, bias], None, dy)?;
        Ok((dw, db))
    }
}

impl CustomOp3 for Both {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let own = [slice(s1, l1)?, slice(s2, l2)?];
        let shape = (2, self.n, own[0].len()).into();
        let made = self.made(own, Some(slice(s3, l3)?))?;
        Ok((CpuStorage::F32(made), shape))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        on_card::made(self.n, [(s1, l1), (s2, l2)], Some((s3, l3)))
    }

    fn bwd(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        adaptive: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dw, db, de] = self.gradients([weight, bias], Some(adaptive), dy)?;
        Ok((dw, db, de))
    }
}
