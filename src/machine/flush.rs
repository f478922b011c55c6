//! Denormal numbers as zeros while a kernel runs: arithmetic on them is two hundred times slower.

/// While it lives, this thread reads and writes denormal numbers as zeros (on x86-64; elsewhere it does nothing).
///
/// Every task of every kernel holds one, so results do not depend on which thread ran it.
pub struct Flush {
    #[cfg(target_arch = "x86_64")]
    before: u32,
}

#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    /// Flush-to-zero (bit 15) and denormals-are-zero (bit 6) of MXCSR.
    pub const FLUSH: u32 = 1 << 15 | 1 << 6;

    pub fn read() -> u32 {
        let mut word = 0u32;
        // SAFETY: stores four bytes into `word`.
        unsafe { asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack, preserves_flags)) };
        word
    }

    pub fn write(word: u32) {
        // SAFETY: `word` is a value read from the register, with only the flush bits changed.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, preserves_flags)) };
    }
}

impl Flush {
    pub fn start() -> Flush {
        #[cfg(target_arch = "x86_64")]
        {
            let before = control::read();
            control::write(before | control::FLUSH);
            Flush { before }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Flush {}
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        control::write(self.before);
    }
}
