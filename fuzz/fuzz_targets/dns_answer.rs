//! The fuzz target around `bodies/dns_answer.rs`.

#![no_main]

#[path = "../bodies/dns_answer.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
