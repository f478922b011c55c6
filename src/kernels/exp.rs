//! e^x and what is made of it, written so that loops over it become vector code.

/// `a * b + c`, in one instruction where there is one.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e^x to about one unit in the last place for x in -87.3..=88.3; beyond, the value at that end; NaN stays NaN.
/// The polynomial is that of Cephes' `expf` (S. Moshier).
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -LN2_LOW, fma::<FMA>(n, -LN2_HIGH, x));
    let mut p = 1.987_569_1e-4;
    p = fma::<FMA>(p, r, 1.398_199_9e-3);
    p = fma::<FMA>(p, r, 8.333_452e-3);
    p = fma::<FMA>(p, r, 4.166_579_6e-2);
    p = fma::<FMA>(p, r, 1.666_666_5e-1);
    p = fma::<FMA>(p, r, 0.5);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    fma::<FMA>(p, r * r, r + 1.0) * power
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exp_is_right_to_two_units_in_the_last_place() {
        let mut worst = 0f64;
        for i in 0..400_000 {
            let x = -87.0 + 175.0 * i as f32 / 400_000.0;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp::<false>(x)) - want).abs() / want);
            worst = worst.max((f64::from(exp::<true>(x)) - want).abs() / want);
        }
        assert!(worst < 1.5e-7, "{worst:e}");
        assert_eq!(exp::<false>(0.0), 1.0);
        assert!(exp::<false>(f32::NAN).is_nan());
    }
}
