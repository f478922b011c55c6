//! Images to a published network's input, to the bit as each evaluator's own code prepares it.

use crate::data::resize::antialias::{Filter, float_planes};
use crate::data::resize::bilinear;
use crate::experiment::scoring::rules::Preprocessing;
use crate::io::image::file::Rgb8;
use anyhow::{Result, ensure};

/// Fills `out`, f32 [3, side, side] of -1..1, with `image` of any size. `Tf1` and `Clean` map 255 to 0.9921875, `Torch`
/// to 1. The same image gives the same bits on every machine: operations are fused only where the tool fuses them.
///
/// - `Tf1` is torch-fidelity 0.4.0's on a CPU, which is TensorFlow 1's; the affine grid of EDM and of clean-fid's
///   `legacy_tensorflow` is the same but for the rounding of its coordinates.
/// - `Torch` is pytorch-fid 0.3.0's and dgm-eval's, `TorchBytes` clean-fid 0.1.35's `legacy_pytorch`.
/// - `Clean` is clean-fid 0.1.35's `clean`.
pub fn fill(image: &Rgb8, how: Preprocessing, out: &mut [f32]) -> Result<()> {
    let (w, h) = (image.w, image.h);
    ensure!(
        w > 0 && h > 0 && w.checked_mul(h).and_then(|n| n.checked_mul(3)) == Some(image.data.len()),
        "{} bytes are no picture of {w} by {h}",
        image.data.len()
    );
    let input = how.input_len();
    ensure!(
        out.len() == input,
        "{} numbers are no input, it has {input}",
        out.len()
    );
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[target_feature(enable = "avx2,fma")]
        fn wide(image: &Rgb8, how: Preprocessing, out: &mut [f32]) {
            planes(image, how, out);
        }
        // SAFETY: the machine has the features.
        unsafe { wide(image, how, out) };
        return Ok(());
    }
    planes(image, how, out);
    Ok(())
}

#[inline(always)]
fn planes(image: &Rgb8, how: Preprocessing, out: &mut [f32]) {
    let side = how.side();
    let centred = |v: f32| (v - 128.0) / 128.0;
    match how {
        Preprocessing::Tf1 => bilinear::tensorflow(image, side, centred, out),
        Preprocessing::Torch => {
            let unit = |byte: u8| byte as f32 / 255.0;
            bilinear::pytorch(image, side, unit, |v| 2.0 * v - 1.0, out);
        }
        Preprocessing::TorchBytes => {
            let finish = |v: f32| 2.0 * (v.clamp(0.0, 255.0) / 255.0) - 1.0;
            bilinear::pytorch(image, side, |byte| byte as f32, finish, out);
        }
        Preprocessing::Clean => {
            float_planes(image, side, Filter::Bicubic, out);
            out.iter_mut()
                .for_each(|v| *v = centred(v.clamp(0.0, 255.0)));
        }
    }
}
