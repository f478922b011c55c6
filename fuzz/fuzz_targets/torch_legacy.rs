//! Torch's container from before 1.6.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runner_fuzz::checkpoint(bytes));
