//! The fuzz target around `bodies/bfd_core.rs`.

#![no_main]

extern crate evervip_wire as wire;

#[path = "../bodies/bfd_core.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
