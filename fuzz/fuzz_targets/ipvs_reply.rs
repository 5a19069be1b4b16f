//! The fuzz target around `bodies/ipvs_reply.rs`.

#![no_main]

#[path = "../bodies/ipvs_reply.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
