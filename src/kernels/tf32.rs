//! Whether a GPU's convolutions may round f32 inputs to TF32, whose fraction has 10 bits: a net's choice, not a card's.

use std::cell::Cell;

/// How convolutions of f32 multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    F32,
    /// On a GPU that has it; elsewhere as `F32`.
    Tf32,
}

thread_local! {
    static ALLOWED: Cell<Products> = const { Cell::new(Products::F32) };
}

/// Puts back what was allowed before, however the work ends.
struct Before(Products);

impl Drop for Before {
    fn drop(&mut self) {
        ALLOWED.set(self.0);
    }
}

/// Runs `work`; with [`Products::Tf32`], convolutions that it calls, and their gradients whenever they are asked for,
/// multiply in TF32 on a GPU that has it, and sum in f32, as PyTorch's do unless told otherwise. On a CPU nothing changes.
pub fn with_products<R>(products: Products, work: impl FnOnce() -> R) -> R {
    let _before = Before(ALLOWED.replace(products));
    work()
}

/// What the innermost [`with_products`] around this call allows.
pub fn current() -> Products {
    ALLOWED.get()
}

/// Whether that is TF32.
pub fn allowed() -> bool {
    current() == Products::Tf32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_decides_and_a_panic_puts_back_what_was() {
        assert!(!allowed());
        with_products(Products::Tf32, || {
            assert!(allowed());
            with_products(Products::F32, || assert!(!allowed()));
            let broken =
                std::panic::catch_unwind(|| with_products(Products::F32, || panic!("on purpose")));
            assert!(broken.is_err() && allowed());
        });
        assert!(!allowed());
    }
}
