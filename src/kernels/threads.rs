//! Who shares the cores: rayon's threads alone, one of which calls. Candle's own pool spins while it waits, and is kept empty.

use candle_core::Device;

/// Keeps candle's pool of waiting threads empty, for the whole process; call it first thing in `main`.
///
/// Candle shares its elementwise operations out over threads that are pinned to a core and spin between two of them, on
/// the cores where rayon's threads run our kernels: they take turns at waiting for each other. Measured on two busy cores,
/// training a classifier at 32 pixels: 72 images a second with the pool, 300 without. `RAYON_NUM_THREADS` says how many
/// threads work; candle's own variable is overridden.
pub fn leave_to_rayon() {
    // SAFETY: no other thread runs yet that could read the environment meanwhile.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") }
}

/// Runs what calculates on `device`: for the CPU on one of rayon's threads, from where every parallel kernel starts its
/// share at once; for a GPU where it is, since it mostly waits.
///
/// A kernel called from any other thread hands its work over and sleeps, and the system often wakes both of two rayon
/// threads on the core that the caller is leaving: small kernels then take twice as long, for milliseconds to seconds.
/// `work` must not wait for anything that needs the same pool, or one thread (`RAYON_NUM_THREADS=1`) waits for itself.
pub fn beside<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    match device.is_cpu() {
        true => rayon::scope(|_| work()),
        false => work(),
    }
}
