//! How often what was called, told at the end of a process where `CUDA_EMULATOR_COUNTS` is set.

use std::collections::BTreeMap;
use std::sync::{Mutex, Once, PoisonError};

static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

unsafe extern "C" {
    fn atexit(call: extern "C" fn()) -> i32;
}

extern "C" fn tell() {
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, count) in counts.iter() {
        eprintln!("cuda emulator: {count:>9} {name}");
    }
}

/// One call more of this.
pub fn count(name: &str) {
    static ASKED: Once = Once::new();
    static WANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    if !WANTED.get_or_init(|| std::env::var_os("CUDA_EMULATOR_COUNTS").is_some()) {
        return;
    }
    // SAFETY: it is told once, and the call lives as long as the process.
    ASKED.call_once(|| _ = unsafe { atexit(tell) });
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => _ = counts.insert(name.to_string(), 1),
    }
}
