//! The fuzz target around `bodies/config_layout.rs`.

#![no_main]

#[path = "../bodies/config_layout.rs"]
mod body;
#[path = "../bodies/config_files.rs"]
mod files;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
