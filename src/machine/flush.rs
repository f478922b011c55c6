//! Denormal numbers as zeros while a kernel runs: arithmetic on them is two hundred times slower.

/// While it lives, this thread reads and writes denormal numbers as zeros (on x86-64 and 64-bit ARM; elsewhere it does
/// nothing).
///
/// Every task of every kernel holds one, so results do not depend on which thread ran it.
pub struct Flush {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    before: control::Word,
}

#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    pub type Word = u32;

    /// Flush-to-zero (bit 15) and denormals-are-zero (bit 6) of MXCSR.
    pub const FLUSH: Word = 1 << 15 | 1 << 6;

    pub fn read() -> Word {
        let mut word: Word = 0;
        // SAFETY: stores four bytes into `word`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack, preserves_flags)) };
        word
    }

    pub fn write(word: Word) {
        // SAFETY: `word` is a value read from the register, with only the flush bits changed.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    use std::arch::asm;

    pub type Word = u64;

    /// Flushing of inputs and results (FZ, bit 24) of FPCR.
    pub const FLUSH: Word = 1 << 24;

    pub fn read() -> Word {
        let word: Word;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags)) };
        word
    }

    pub fn write(word: Word) {
        // SAFETY: `word` is a value read from the register, with only the flush bit changed.
        unsafe { asm!("msr fpcr, {}", in(reg) word, options(nostack, preserves_flags)) };
    }
}

impl Flush {
    pub fn start() -> Flush {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        {
            let before = control::read();
            control::write(before | control::FLUSH);
            Flush { before }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        Flush {}
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        control::write(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn denormals_are_zeros_while_it_lives() {
        let half = || black_box(f32::MIN_POSITIVE) * black_box(0.5);
        {
            let _flush = Flush::start();
            let _again = Flush::start();
            assert_eq!(half(), 0.0);
        }
        assert!(half() > 0.0);
    }
}
