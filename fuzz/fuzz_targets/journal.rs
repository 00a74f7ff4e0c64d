#![no_main]

#[path = "../entries.rs"]
#[allow(dead_code, reason = "each target calls one entry point")]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::journal(data));
