//! Whether a GPU's convolutions may round f32 inputs to TF32, whose fraction has 10 bits: a net's choice, not a card's.

use std::cell::Cell;

thread_local! {
    static ALLOWED: Cell<bool> = const { Cell::new(false) };
}

/// Puts back what was allowed before, however the work ends.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        ALLOWED.set(self.0);
    }
}

/// Runs `work`; where `yes`, convolutions that it calls, and their gradients whenever they are asked for, multiply in TF32
/// on a GPU that has it, and sum in f32, as PyTorch's do unless told otherwise. On a CPU nothing changes.
pub fn in_tf32<R>(yes: bool, work: impl FnOnce() -> R) -> R {
    let _before = Before(ALLOWED.replace(yes));
    work()
}

/// What the innermost [`in_tf32`] around this call allows.
pub fn allowed() -> bool {
    ALLOWED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_decides_and_a_panic_puts_back_what_was() {
        assert!(!allowed());
        in_tf32(true, || {
            assert!(allowed());
            in_tf32(false, || assert!(!allowed()));
            let broken = std::panic::catch_unwind(|| in_tf32(false, || panic!("on purpose")));
            assert!(broken.is_err() && allowed());
        });
        assert!(!allowed());
    }
}
