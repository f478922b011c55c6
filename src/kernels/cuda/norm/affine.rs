//! The two affine maps of a normalisation, for kernels that read them where they lie, and the kernels that join them.

use crate::kernels::cuda::float::{NONE, Part, device, int, kernel, loops, tensor, view, with};
use candle_core::cuda_backend::cudarc::driver::{CudaView, LaunchArgs, PushKernelArg};
use candle_core::{CudaStorage, DType, Layout, Result, Shape, Tensor, bail};

/// Both affine maps of a normalisation in memory, as the kernels' `Affine`.
pub struct Maps<'a> {
    weight: CudaView<'a, f32>,
    bias: CudaView<'a, f32>,
    /// and the shift
    scale: Option<(CudaView<'a, f32>, CudaView<'a, f32>)>,
    /// channels; how far the maps of the next image are, of its own and of the scale
    told: [i32; 3],
}

impl<'a> Maps<'a> {
    /// Of what `kernels::norm::affine::both` made, `[2, n, channels]`.
    pub fn of_both((s, l): Part<'a>) -> Result<Maps<'a>> {
        let (two, n, channels) = l.shape().dims3()?;
        let all: CudaView<f32> = view(s, l)?;
        if two != 2 {
            bail!("group_norm: {:?} are not gains and offsets", l.shape());
        }
        Ok(Maps {
            weight: all.slice(..n * channels),
            bias: all.slice(n * channels..),
            scale: None,
            told: [int(channels)?, int(channels)?, 0],
        })
    }

    /// Of `n` images: `own` `[c]`, and of `adaptive` `[n, 2c]`, contiguous, the scales and then the shifts.
    fn of(n: usize, own: [Part<'a>; 2], adaptive: Option<Part<'a>>) -> Result<Maps<'a>> {
        let [weight, bias] = own.map(|(s, l)| view::<f32>(s, l));
        let (weight, bias) = (weight?, bias?);
        let channels = weight.len();
        if bias.len() != channels {
            bail!("group_norm: {channels} gains and {} offsets", bias.len());
        }
        let scale = match adaptive {
            Some((_, l)) if l.dims() != [n, 2 * channels] => {
                bail!("group_norm: {:?} is not [{n}, {}]", l.shape(), 2 * channels)
            }
            Some((s, l)) => {
                let all: CudaView<f32> = view(s, l)?;
                Some((all.slice(..), all.slice(channels.min(all.len())..)))
            }
            None => None,
        };
        let row = if scale.is_some() { 2 * channels } else { 0 };
        Ok(Maps {
            weight,
            bias,
            scale,
            told: [int(channels)?, 0, int(row)?],
        })
    }

    fn channels(&self) -> usize {
        self.told[0] as usize
    }

    /// Whether they are those of `n` images of `channels`.
    pub fn fit(&self, n: usize, channels: usize) -> bool {
        let [of, own, _] = self.told.map(|v| v as usize);
        let images = if own == 0 { 1 } else { n };
        of == channels && self.weight.len() == images * channels
    }

    /// The first arguments of the kernels behind `x`.
    pub fn push<'b>(&'b self, call: &mut LaunchArgs<'b>) {
        call.arg(&self.weight).arg(&self.bias);
        match &self.scale {
            Some((scale, shift)) => call.arg(scale).arg(shift),
            None => call.arg(&NONE).arg(&NONE),
        };
        self.told.iter().for_each(|size| {
            call.arg(size);
        });
    }
}

/// Calls `body` with the maps of `n` images: `adaptive` `[n, 2c]` has the scales and then the shifts. None where one of them
/// is part of a graph.
///
/// # Errors
/// Those of the device, and maps that do not fit.
pub fn with_maps<R>(
    n: usize,
    (weight, bias): (&Tensor, &Tensor),
    adaptive: Option<&Tensor>,
    body: impl FnOnce(&Maps) -> Result<R>,
) -> Result<Option<R>> {
    if [Some(weight), Some(bias), adaptive]
        .into_iter()
        .flatten()
        .any(Tensor::track_op)
    {
        return Ok(None);
    }
    let (weight, bias) = (plain(weight)?, plain(bias)?);
    let done = match adaptive {
        Some(adaptive) => with([&weight, &bias, &plain(adaptive)?], |[w, b, e]| {
            body(&Maps::of(n, [w, b], Some(e))?)
        }),
        None => with([&weight, &bias], |own| body(&Maps::of(n, own, None)?)),
    };
    done.map(Some)
}

/// Contiguous, in f32.
fn plain(map: &Tensor) -> Result<Tensor> {
    map.to_dtype(DType::F32)?.contiguous()
}

/// `kernels::norm::affine::both` of `n` images: the result `[2, n, c]`.
///
/// # Errors
/// Those of the device, and maps that do not fit.
pub fn made(
    n: usize,
    own: [(&CudaStorage, &Layout); 2],
    adaptive: Option<(&CudaStorage, &Layout)>,
) -> Result<(CudaStorage, Shape)> {
    let (maps, dev) = (Maps::of(n, own, adaptive)?, device(own[0].0));
    let channels = maps.channels();
    let half = n * channels;
    // SAFETY: the kernel writes every element.
    let mut y = unsafe { dev.alloc::<f32>((2 * half).max(1))? };
    let (total, function) = (int(half)?, kernel::<f32>(dev, "affine")?);
    let stream = dev.cuda_stream();
    let (mut gain, mut offset) = y.split_at_mut(half);
    let mut call = stream.launch_builder(&function);
    maps.push(&mut call);
    call.arg(&mut gain).arg(&mut offset).arg(&total);
    if half > 0 {
        // SAFETY: the arguments are those of `affine`, and the sizes were checked.
        unsafe { call.launch(loops(half)?)? };
    }
    let y = CudaStorage::wrap_cuda_slice(y, dev.clone());
    Ok((y, (2, n, channels).into()))
}

/// Its gradients, given dy `[2, n, c]`, contiguous: of weight and bias, and of what adapts them where there is that.
///
/// # Errors
/// As [`made`].
pub fn gradients(
    n: usize,
    [weight, bias]: [&Tensor; 2],
    adaptive: Option<&Tensor>,
    dy: &Tensor,
) -> Result<[Option<Tensor>; 3]> {
    match adaptive {
        Some(adaptive) => with([weight, bias, adaptive, dy], |[w, b, e, dy]| {
            backward(n, &Maps::of(n, [w, b], Some(e))?, dy)
        }),
        None => with([weight, bias, dy], |[w, b, dy]| {
            backward(n, &Maps::of(n, [w, b], None)?, dy)
        }),
    }
}

fn backward(n: usize, maps: &Maps, dy: Part) -> Result<[Option<Tensor>; 3]> {
    let (dev, channels) = (device(dy.0), maps.channels());
    let (half, adapts) = (n * channels, maps.scale.is_some());
    let dy: CudaView<f32> = view(dy.0, dy.1)?;
    if dy.len() != 2 * half {
        bail!("group_norm: {} gradients of {half} gains", dy.len());
    }
    let (dgain, doffset) = (dy.slice(..half), dy.slice(half..));
    // SAFETY: the kernel writes every element of the first two, and of the third where it is given.
    let (mut dw, mut db, mut de) = unsafe {
        let more = if adapts { 2 * half } else { 1 };
        (
            dev.alloc::<f32>(channels.max(1))?,
            dev.alloc::<f32>(channels.max(1))?,
            dev.alloc::<f32>(more.max(1))?,
        )
    };
    let (images, function) = (int(n)?, kernel::<f32>(dev, "affine_grad")?);
    let stream = dev.cuda_stream();
    let mut call = stream.launch_builder(&function);
    maps.push(&mut call);
    call.arg(&dgain).arg(&doffset).arg(&mut dw).arg(&mut db);
    if adapts {
        call.arg(&mut de);
    } else {
        call.arg(&NONE);
    }
    call.arg(&images);
    if channels > 0 {
        // SAFETY: the arguments are those of `affine_grad`, and the sizes were checked.
        unsafe { call.launch(loops(channels)?)? };
    }
    let width = Shape::from(channels);
    let de = adapts.then(|| tensor(de, &Shape::from((n, 2 * channels)), dev));
    Ok([
        Some(tensor(dw, &width, dev)),
        Some(tensor(db, &width, dev)),
        de,
    ])
}
