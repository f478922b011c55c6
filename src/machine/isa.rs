//! Which vector instructions this machine has, and loops compiled once for each of them.

use std::sync::OnceLock;

/// An instruction set that the kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    Avx512,
    Avx2,
    /// Every 64-bit ARM has it.
    Neon,
    Portable,
}

impl Isa {
    /// Every instruction set that this machine can run, the fastest first.
    pub fn available() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fma && is_x86_feature_detected!("avx512f") {
                all.push(Isa::Avx512);
            }
            if fma {
                all.push(Isa::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Isa::Neon);
        all.push(Isa::Portable);
        all
    }

    /// The fastest of them, looked up once, or the one that was chosen.
    pub fn best() -> Isa {
        *BEST.get_or_init(|| Isa::available()[0])
    }

    /// Whether kernels use this one from here on: where the machine has it, and before the first of them has run. For
    /// measuring what another machine would take.
    #[must_use]
    pub fn choose(self) -> bool {
        Isa::available().contains(&self) && *BEST.get_or_init(|| self) == self
    }
}

static BEST: OnceLock<Isa> = OnceLock::new();

/// `fn name(isa, arguments)` that runs the `#[inline(always)]` body compiled for that instruction set.
/// The body is an unsafe function over a type of `Lanes`, safe to call where the machine has that type's instructions.
macro_rules! per_isa {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? = $body:ident) => {
        $(#[$doc])*
        $vis fn $name(isa: $crate::machine::isa::Isa, $($arg: $type),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                // SAFETY of both: the functions have the features that the bodies need.
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn wide($($arg: $type),*) $(-> $out)? {
                    unsafe { $body::<std::arch::x86_64::__m512>($($arg),*) }
                }
                #[target_feature(enable = "avx2,fma")]
                fn half($($arg: $type),*) $(-> $out)? {
                    unsafe { $body::<[std::arch::x86_64::__m256; 2]>($($arg),*) }
                }
                // SAFETY: these values of `Isa` are only made where the machine has the features.
                match isa {
                    $crate::machine::isa::Isa::Avx512 => return unsafe { wide($($arg),*) },
                    $crate::machine::isa::Isa::Avx2 => return unsafe { half($($arg),*) },
                    $crate::machine::isa::Isa::Neon | $crate::machine::isa::Isa::Portable => {}
                }
            }
            #[cfg(target_arch = "aarch64")]
            if isa == $crate::machine::isa::Isa::Neon {
                // SAFETY: every machine of this kind has NEON.
                return unsafe { $body::<[std::arch::aarch64::float32x4_t; 4]>($($arg),*) };
            }
            let _ = isa;
            // SAFETY: arrays need no instructions of their own.
            unsafe { $body::<[f32; 16]>($($arg),*) }
        }
    };
}
pub(crate) use per_isa;
