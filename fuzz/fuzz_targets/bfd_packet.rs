//! The fuzz target around `bodies/bfd_packet.rs`.

#![no_main]

#[path = "../bodies/bfd_packet.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
