//! Sixteen floats as one value, whatever the instructions: what the compiler does not make vector code of by itself.

use std::array::from_fn;

/// Sixteen floats.
///
/// # Safety
/// The methods of a vector type may only be called where the machine has its instructions, and on pointers that are
/// valid for sixteen floats.
pub trait Lanes: Copy {
    unsafe fn splat(v: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f32);
    unsafe fn add(self, o: Self) -> Self;
    unsafe fn sub(self, o: Self) -> Self;
    unsafe fn mul(self, o: Self) -> Self;
    unsafe fn div(self, o: Self) -> Self;
    unsafe fn max(self, o: Self) -> Self;
    unsafe fn min(self, o: Self) -> Self;
    /// self * a + b
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    /// 2^n of `n + 1.5 * 2^23`, n in -126..=127: its low bits are n
    unsafe fn power(self) -> Self;

    /// The first `n` floats at `p`, and `pad` in the other lanes.
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize, pad: f32) -> Self {
        let mut part = [pad; 16];
        // SAFETY: the caller vouches for `n` floats, n at most 16.
        unsafe {
            std::ptr::copy_nonoverlapping(p, part.as_mut_ptr(), n);
            Self::load(part.as_ptr())
        }
    }

    /// Stores the first `n` lanes.
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        // SAFETY: the caller vouches for `n` floats, n at most 16.
        unsafe { std::ptr::copy_nonoverlapping(self.array().as_ptr(), p, n) }
    }

    #[inline(always)]
    unsafe fn array(self) -> [f32; 16] {
        let mut all = [0f32; 16];
        // SAFETY: sixteen floats are there.
        unsafe { self.store(all.as_mut_ptr()) };
        all
    }

    /// The sum of the lanes, in their order.
    #[inline(always)]
    unsafe fn sum(self) -> f64 {
        // SAFETY: the caller vouches for the instructions.
        unsafe { self.array().iter().map(|v| f64::from(*v)).sum() }
    }
}

#[rustfmt::skip]
impl Lanes for [f32; 16] {
    #[inline(always)] unsafe fn splat(v: f32) -> Self { [v; 16] }
    #[inline(always)] unsafe fn load(p: *const f32) -> Self { unsafe { *(p as *const Self) } }
    #[inline(always)] unsafe fn store(self, p: *mut f32) { unsafe { *(p as *mut Self) = self } }
    #[inline(always)] unsafe fn add(self, o: Self) -> Self { from_fn(|i| self[i] + o[i]) }
    #[inline(always)] unsafe fn sub(self, o: Self) -> Self { from_fn(|i| self[i] - o[i]) }
    #[inline(always)] unsafe fn mul(self, o: Self) -> Self { from_fn(|i| self[i] * o[i]) }
    #[inline(always)] unsafe fn div(self, o: Self) -> Self { from_fn(|i| self[i] / o[i]) }
    #[inline(always)] unsafe fn max(self, o: Self) -> Self { from_fn(|i| if self[i] > o[i] { self[i] } else { o[i] }) }
    #[inline(always)] unsafe fn min(self, o: Self) -> Self { from_fn(|i| if self[i] < o[i] { self[i] } else { o[i] }) }
    #[inline(always)] unsafe fn fma(self, a: Self, b: Self) -> Self { from_fn(|i| self[i] * a[i] + b[i]) }
    #[inline(always)] unsafe fn power(self) -> Self {
        self.map(|v| f32::from_bits((v.to_bits() << 23).wrapping_add(127 << 23)))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    #[rustfmt::skip]
    impl Lanes for __m512 {
        #[inline(always)] unsafe fn splat(v: f32) -> Self { unsafe { _mm512_set1_ps(v) } }
        #[inline(always)] unsafe fn load(p: *const f32) -> Self { unsafe { _mm512_loadu_ps(p) } }
        #[inline(always)] unsafe fn store(self, p: *mut f32) { unsafe { _mm512_storeu_ps(p, self) } }
        #[inline(always)] unsafe fn add(self, o: Self) -> Self { unsafe { _mm512_add_ps(self, o) } }
        #[inline(always)] unsafe fn sub(self, o: Self) -> Self { unsafe { _mm512_sub_ps(self, o) } }
        #[inline(always)] unsafe fn mul(self, o: Self) -> Self { unsafe { _mm512_mul_ps(self, o) } }
        #[inline(always)] unsafe fn div(self, o: Self) -> Self { unsafe { _mm512_div_ps(self, o) } }
        #[inline(always)] unsafe fn max(self, o: Self) -> Self { unsafe { _mm512_max_ps(self, o) } }
        #[inline(always)] unsafe fn min(self, o: Self) -> Self { unsafe { _mm512_min_ps(self, o) } }
        #[inline(always)] unsafe fn fma(self, a: Self, b: Self) -> Self { unsafe { _mm512_fmadd_ps(self, a, b) } }
        #[inline(always)] unsafe fn power(self) -> Self {
            unsafe {
                let n = _mm512_slli_epi32::<23>(_mm512_castps_si512(self));
                _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(127 << 23)))
            }
        }
    }

    #[rustfmt::skip]
    impl Lanes for [__m256; 2] {
        #[inline(always)] unsafe fn splat(v: f32) -> Self { unsafe { [_mm256_set1_ps(v); 2] } }
        #[inline(always)] unsafe fn load(p: *const f32) -> Self { unsafe { [_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))] } }
        #[inline(always)] unsafe fn store(self, p: *mut f32) { unsafe { _mm256_storeu_ps(p, self[0]); _mm256_storeu_ps(p.add(8), self[1]) } }
        #[inline(always)] unsafe fn add(self, o: Self) -> Self { unsafe { [_mm256_add_ps(self[0], o[0]), _mm256_add_ps(self[1], o[1])] } }
        #[inline(always)] unsafe fn sub(self, o: Self) -> Self { unsafe { [_mm256_sub_ps(self[0], o[0]), _mm256_sub_ps(self[1], o[1])] } }
        #[inline(always)] unsafe fn mul(self, o: Self) -> Self { unsafe { [_mm256_mul_ps(self[0], o[0]), _mm256_mul_ps(self[1], o[1])] } }
        #[inline(always)] unsafe fn div(self, o: Self) -> Self { unsafe { [_mm256_div_ps(self[0], o[0]), _mm256_div_ps(self[1], o[1])] } }
        #[inline(always)] unsafe fn max(self, o: Self) -> Self { unsafe { [_mm256_max_ps(self[0], o[0]), _mm256_max_ps(self[1], o[1])] } }
        #[inline(always)] unsafe fn min(self, o: Self) -> Self { unsafe { [_mm256_min_ps(self[0], o[0]), _mm256_min_ps(self[1], o[1])] } }
        #[inline(always)] unsafe fn fma(self, a: Self, b: Self) -> Self {
            unsafe { [_mm256_fmadd_ps(self[0], a[0], b[0]), _mm256_fmadd_ps(self[1], a[1], b[1])] }
        }
        #[inline(always)] unsafe fn power(self) -> Self {
            unsafe { [half_power(self[0]), half_power(self[1])] }
        }
    }

    #[inline(always)]
    unsafe fn half_power(v: __m256) -> __m256 {
        unsafe {
            let n = _mm256_slli_epi32::<23>(_mm256_castps_si256(v));
            _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(127 << 23)))
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::Lanes;
    use std::arch::aarch64::*;
    use std::array::from_fn;

    type Four = [float32x4_t; 4];

    #[rustfmt::skip]
    impl Lanes for Four {
        #[inline(always)] unsafe fn splat(v: f32) -> Self { unsafe { [vdupq_n_f32(v); 4] } }
        #[inline(always)] unsafe fn load(p: *const f32) -> Self { from_fn(|i| unsafe { vld1q_f32(p.add(4 * i)) }) }
        #[inline(always)] unsafe fn store(self, p: *mut f32) { for (i, v) in self.into_iter().enumerate() { unsafe { vst1q_f32(p.add(4 * i), v) } } }
        #[inline(always)] unsafe fn add(self, o: Self) -> Self { from_fn(|i| unsafe { vaddq_f32(self[i], o[i]) }) }
        #[inline(always)] unsafe fn sub(self, o: Self) -> Self { from_fn(|i| unsafe { vsubq_f32(self[i], o[i]) }) }
        #[inline(always)] unsafe fn mul(self, o: Self) -> Self { from_fn(|i| unsafe { vmulq_f32(self[i], o[i]) }) }
        #[inline(always)] unsafe fn div(self, o: Self) -> Self { from_fn(|i| unsafe { vdivq_f32(self[i], o[i]) }) }
        #[inline(always)] unsafe fn max(self, o: Self) -> Self { from_fn(|i| unsafe { vbslq_f32(vcgtq_f32(self[i], o[i]), self[i], o[i]) }) }
        #[inline(always)] unsafe fn min(self, o: Self) -> Self { from_fn(|i| unsafe { vbslq_f32(vcltq_f32(self[i], o[i]), self[i], o[i]) }) }
        #[inline(always)] unsafe fn fma(self, a: Self, b: Self) -> Self { from_fn(|i| unsafe { vfmaq_f32(b[i], self[i], a[i]) }) }
        #[inline(always)] unsafe fn power(self) -> Self {
            from_fn(|i| unsafe {
                let n = vshlq_n_s32::<23>(vreinterpretq_s32_f32(self[i]));
                vreinterpretq_f32_s32(vaddq_s32(n, vdupq_n_s32(127 << 23)))
            })
        }
    }
}
