//! e^x and what is made of it, sixteen at a time.

use crate::kernels::simd::lanes::Lanes;

/// e^x to about one unit in the last place for x in -87.3..=88.3; beyond, the value at that end.
/// The polynomial is that of Cephes' `expf` (S. Moshier).
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub unsafe fn exp<V: Lanes>(x: V) -> V {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let c = |v: f32| V::splat(v);
        // The second operand is what min and max give for NaN, so that NaN stays NaN.
        let x = c(88.3).min(c(-87.3).max(x));
        let shifted = x.fma(c(std::f32::consts::LOG2_E), c(ROUND));
        let n = shifted.sub(c(ROUND));
        let r = n.fma(c(-LN2_LOW), n.fma(c(-LN2_HIGH), x));
        let p = c(1.987_569_1e-4).fma(r, c(1.398_199_9e-3));
        let p = p.fma(r, c(8.333_452e-3));
        let p = p.fma(r, c(4.166_579_6e-2));
        let p = p.fma(r, c(1.666_666_5e-1));
        let p = p.fma(r, c(0.5));
        p.fma(r.mul(r), r.add(c(1.0))).mul(shifted.power())
    }
}

/// 1 / (1 + e^-x)
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub unsafe fn sigmoid<V: Lanes>(x: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let one = V::splat(1.0);
        one.div(one.add(exp(V::splat(0.0).sub(x))))
    }
}

#[cfg(test)]
mod tests {
    use super::exp;
    use crate::kernels::simd::lanes::Lanes;
    use crate::machine::isa::{Isa, per_isa};

    per_isa! {
        fn exponentials(x: &[f32; 16]) -> [f32; 16] = exponentials_body
    }

    #[inline(always)]
    unsafe fn exponentials_body<V: Lanes>(x: &[f32; 16]) -> [f32; 16] {
        unsafe { exp(V::load(x.as_ptr())).array() }
    }

    #[test]
    fn exp_is_right_to_two_units_in_the_last_place() {
        for isa in Isa::available() {
            let mut worst = 0f64;
            for i in 0..25_000 {
                let x = std::array::from_fn(|j| -87.0 + 175.0 * (i * 16 + j) as f32 / 400_000.0);
                for (x, got) in x.iter().zip(exponentials(isa, &x)) {
                    let want = f64::from(*x).exp();
                    worst = worst.max((f64::from(got) - want).abs() / want);
                }
            }
            assert!(worst < 1.5e-7, "{isa:?}: {worst:e}");
            assert_eq!(exponentials(isa, &[0.0; 16]), [1.0; 16]);
            assert!(exponentials(isa, &[f32::NAN; 16])[0].is_nan(), "{isa:?}");
        }
    }
}
